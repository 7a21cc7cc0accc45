//! The bodies of what [`export!`](crate::export) exports. No panic leaves any of them.
//!
//! # Safety
//! Callers keep the rules of `tasker_handler.h`: handles come from [`open`] and are not used after [`close`], pointers
//! are valid for their lengths.
#![allow(clippy::missing_safety_doc)]

use crate::runtime::{Handlers, Runtime};
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::slice;

pub const ABI_VERSION: u32 = 1;
const BROKEN: i64 = -1;

fn guarded<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

unsafe fn bytes<'a>(at: *const u8, length: usize) -> &'a [u8] {
    if length == 0 {
        return &[];
    }
    slice::from_raw_parts(at, length)
}

unsafe fn pass_out(given: Vec<u8>, out: *mut *mut u8, out_length: *mut usize) {
    let given = given.into_boxed_slice();
    *out_length = given.len();
    *out = Box::into_raw(given).cast();
}

pub unsafe fn free(bytes: *mut u8, length: usize) {
    if !bytes.is_null() {
        drop(Box::from_raw(ptr::slice_from_raw_parts_mut(bytes, length)));
    }
}

pub unsafe fn open(
    handlers: fn() -> Handlers,
    config: *const u8,
    config_length: usize,
    context: *mut *mut c_void,
    out: *mut *mut u8,
    out_length: *mut usize,
) -> i32 {
    let config = bytes(config, config_length);
    let refused = || Err("the library panicked while it was opened".to_owned());
    let opened = catch_unwind(|| Runtime::open(handlers(), config)).unwrap_or_else(|_| refused());
    match opened {
        Ok((runtime, manifest)) => {
            *context = Box::into_raw(Box::new(runtime)).cast();
            pass_out(manifest, out, out_length);
            0
        }
        Err(why) => {
            pass_out(why.into_bytes(), out, out_length);
            1
        }
    }
}

pub unsafe fn offer(context: *mut c_void, frames: *const u8, length: usize) -> i64 {
    let runtime = &*context.cast::<Runtime>();
    let frames = bytes(frames, length);
    guarded(BROKEN, || if runtime.offer(frames) { length as i64 } else { BROKEN })
}

pub unsafe fn drain(context: *mut c_void, buffer: *mut u8, capacity: usize) -> i64 {
    let runtime = &*context.cast::<Runtime>();
    let buffer = slice::from_raw_parts_mut(buffer, capacity);
    guarded(0, || runtime.drain(buffer))
}

pub unsafe fn wake_fd(context: *mut c_void) -> i32 {
    let runtime = &*context.cast::<Runtime>();
    guarded(-1, || runtime.wake_fd())
}

pub unsafe fn cancel(context: *mut c_void, delivery_id: *const u8, length: usize, reason: i32) {
    let runtime = &*context.cast::<Runtime>();
    let id = bytes(delivery_id, length);
    guarded((), || {
        if let Ok(id) = std::str::from_utf8(id) {
            runtime.cancel(id, reason);
        }
    });
}

pub unsafe fn close(context: *mut c_void) {
    let runtime = Box::from_raw(context.cast::<Runtime>());
    guarded((), || runtime.close());
}
