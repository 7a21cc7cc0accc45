"""Byte channels to the host: an inherited descriptor, standard streams, or a socket."""
