"""The hub's controller: kopf's events, the queue, observe, decide, carry out, report."""
