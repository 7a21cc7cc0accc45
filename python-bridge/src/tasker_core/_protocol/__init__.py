"""The wire between the Tasker core and a handler process: text, frames, messages, handshake."""
