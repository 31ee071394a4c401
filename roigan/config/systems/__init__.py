"""What params.yaml says of each system, a file each."""
