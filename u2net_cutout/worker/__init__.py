"""What surrounds requests in a worker process: batches, log, metrics, CPUs, memory."""
