//! Step handlers for Tasker in Rust.
//!
//! A handler is anything that implements [`Handler`]; closures of the right shape do. [`export!`] turns a list of them
//! into a library with Tasker's C ABI (`bindings/abi/include/tasker_handler.h`): a crate of type `cdylib` that
//! `[[worker.native]]` names.
//!
//! ```
//! use tasker_handler::{json, Context, HandlerError, StepResult};
//!
//! fn charge(context: &Context) -> Result<StepResult, HandlerError> {
//!     let amount = context.input("amount").as_i64().ok_or_else(|| HandlerError::permanent("no amount"))?;
//!     Ok(StepResult::value(json!({ "charged": amount })))
//! }
//!
//! tasker_handler::export! { "payments.charge" => charge }
//! # fn main() {}
//! ```
//!
//! Handlers run on threads of the library, as many as the host's `slots`. A panic fails its step and nothing else,
//! unless the library is built with `panic = "abort"`.

mod context;
mod error;
mod frame;
mod result;
mod runtime;
mod wake;

#[doc(hidden)]
pub mod ffi;

pub use context::{Batch, Context};
pub use error::HandlerError;
pub use result::{CursorConfig, StepResult};
pub use runtime::Handlers;
pub use serde_json::{json, Value};

/// Runs one step.
pub trait Handler: Send + Sync + 'static {
    /// Called once for every attempt, on any of the library's threads; may be called for several steps at once.
    ///
    /// # Errors
    /// What it returns decides with the step's template whether the step is tried again.
    fn call(&self, context: &Context) -> Result<StepResult, HandlerError>;

    /// `step`, `decision`, `batch_analyzer` or `batch_worker`: a hint, the template decides.
    fn kind(&self) -> &'static str {
        "step"
    }
}

impl<F> Handler for F
where
    F: Fn(&Context) -> Result<StepResult, HandlerError> + Send + Sync + 'static,
{
    fn call(&self, context: &Context) -> Result<StepResult, HandlerError> {
        self(context)
    }
}

/// Exports the handlers of a library under the names that templates write as `callable`. Once per library.
#[macro_export]
macro_rules! export {
    ($($callable:expr => $handler:expr),+ $(,)?) => {
        fn __tasker_handlers() -> $crate::Handlers {
            let mut handlers = $crate::Handlers::new();
            $(handlers.add($callable, $handler);)+
            handlers
        }

        #[no_mangle]
        pub extern "C" fn tasker_handler_abi_version() -> u32 {
            $crate::ffi::ABI_VERSION
        }

        /// # Safety
        /// As `tasker_handler.h` says.
        #[no_mangle]
        pub unsafe extern "C" fn tasker_handler_free(bytes: *mut u8, length: usize) {
            $crate::ffi::free(bytes, length)
        }

        /// # Safety
        /// As `tasker_handler.h` says.
        #[no_mangle]
        pub unsafe extern "C" fn tasker_handler_open(
            config: *const u8,
            config_length: usize,
            context: *mut *mut ::core::ffi::c_void,
            out: *mut *mut u8,
            out_length: *mut usize,
        ) -> i32 {
            $crate::ffi::open(__tasker_handlers, config, config_length, context, out, out_length)
        }

        /// # Safety
        /// As `tasker_handler.h` says.
        #[no_mangle]
        pub unsafe extern "C" fn tasker_handler_offer(
            context: *mut ::core::ffi::c_void,
            frames: *const u8,
            length: usize,
        ) -> i64 {
            $crate::ffi::offer(context, frames, length)
        }

        /// # Safety
        /// As `tasker_handler.h` says.
        #[no_mangle]
        pub unsafe extern "C" fn tasker_handler_drain(
            context: *mut ::core::ffi::c_void,
            buffer: *mut u8,
            capacity: usize,
        ) -> i64 {
            $crate::ffi::drain(context, buffer, capacity)
        }

        /// # Safety
        /// As `tasker_handler.h` says.
        #[no_mangle]
        pub unsafe extern "C" fn tasker_handler_wake_fd(context: *mut ::core::ffi::c_void) -> i32 {
            $crate::ffi::wake_fd(context)
        }

        /// # Safety
        /// As `tasker_handler.h` says.
        #[no_mangle]
        pub unsafe extern "C" fn tasker_handler_cancel(
            context: *mut ::core::ffi::c_void,
            delivery_id: *const u8,
            length: usize,
            reason: i32,
        ) {
            $crate::ffi::cancel(context, delivery_id, length, reason)
        }

        /// # Safety
        /// As `tasker_handler.h` says.
        #[no_mangle]
        pub unsafe extern "C" fn tasker_handler_close(context: *mut ::core::ffi::c_void) {
            $crate::ffi::close(context)
        }
    };
}
