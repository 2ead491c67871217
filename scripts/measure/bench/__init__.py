"""`make bench`: throughput, latency, memory and masks beside peers."""
