"""A worker inside a program of the user's: a host to talk to, and steps to be polled."""
