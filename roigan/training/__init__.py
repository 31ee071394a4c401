"""What one worker does: loop, batches, checkpoint, progress, precision, samples."""
