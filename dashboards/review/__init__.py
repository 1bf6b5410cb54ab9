"""What QA works with: the queue, a batch by its exceptions, its whole record, the decision."""
