"""The handler process: deliveries, threads, the event loop, and the way back to the host."""
