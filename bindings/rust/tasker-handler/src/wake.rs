//! How the host hears that there is something to drain: one end of a socket pair.

#[cfg(unix)]
mod pair {
    use std::io::Write;
    use std::os::fd::IntoRawFd;
    use std::os::unix::net::UnixStream;

    #[derive(Debug)]
    pub(crate) struct Wake {
        /// Until the host asks for it, and owns it.
        theirs: Option<UnixStream>,
        ours: UnixStream,
    }

    impl Wake {
        pub(crate) fn new() -> std::io::Result<Self> {
            let (theirs, ours) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            Ok(Self { theirs: Some(theirs), ours })
        }

        pub(crate) fn take(&mut self) -> i32 {
            self.theirs.take().map_or(-1, IntoRawFd::into_raw_fd)
        }

        /// A full pair holds enough bytes already; a closed one has nobody to wake. `write` to a socket pair raises no
        /// SIGPIPE in a Rust program or in Node, which both ignore it.
        pub(crate) fn ring(&mut self) {
            let _ = self.ours.write(&[1]);
        }
    }
}

#[cfg(not(unix))]
mod pair {
    #[derive(Debug)]
    pub(crate) struct Wake;

    impl Wake {
        pub(crate) fn new() -> std::io::Result<Self> {
            Ok(Self)
        }

        /// The host looks by itself.
        pub(crate) fn take(&mut self) -> i32 {
            -1
        }

        pub(crate) fn ring(&mut self) {}
    }
}

pub(crate) use pair::Wake;
