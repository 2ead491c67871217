"""What is generated from code into documents, and documents that are followed."""
