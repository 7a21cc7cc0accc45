/*
 * The C ABI of Tasker's native step handlers, version 1.
 *
 * A library takes one of two forms; each export below says which form needs it.
 *
 *   full     abi_version, open, offer, drain, wake_fd, cancel, close, free. Runs its own threads and may hold many
 *            steps at once. The host never calls from more than one thread at a time, and never waits in a call.
 *   simple   abi_version, execute, free; manifest if it wants to name its handlers itself. One call is one step. The
 *            host calls from one thread per slot, so from several at once: nothing may be shared without a lock.
 *
 * A library that exports `tasker_handler_open` is taken as full.
 *
 * Bytes are a pointer and a length, never NUL-terminated. Whoever writes a buffer says here who owns it:
 *   - what the host passes in is the host's, valid only during the call: copy what is kept;
 *   - what the library passes out through `uint8_t **` is the library's memory until the host gives it back, exactly
 *     once, with `tasker_handler_free` and the same length, perhaps from another thread;
 *   - the buffer of `drain` is the host's: the library fills it and never keeps it.
 *
 * Frames are those of the handler bridge, integers big-endian:
 *   u32 length       of what follows: 4 + header_len + body_len, at most 64 MiB
 *   u32 header_len   1 to 65 536
 *   header           one JSON object with a string `type`
 *   body             one JSON value, or nothing
 * The host offers `step` frames and drains `result`, `error`, `checkpoint`, `event`, `beat` and `log` frames. Their
 * fields: docs/reference/native.md. JSON is UTF-8 without U+0000 and lone surrogates, nested at most 64 deep; what is
 * not fails the step it belongs to. A frame over the host's limit (16 MiB) fails its step; a length that cannot be one
 * ends the library's turn: it is closed and opened anew, and its steps are delivered again.
 *
 * No call may throw, unwind or longjmp out of the library, and none may call back into the host.
 */
#ifndef TASKER_HANDLER_H
#define TASKER_HANDLER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TASKER_HANDLER_ABI_VERSION 1u

#if defined(_WIN32)
#define TASKER_HANDLER_EXPORT __declspec(dllexport)
#else
#define TASKER_HANDLER_EXPORT __attribute__((visibility("default")))
#endif

/* Why a step should stop. */
#define TASKER_CANCEL_TIMEOUT 1
#define TASKER_CANCEL_TASK_CANCELLED 2
#define TASKER_CANCEL_LEASE_LOST 3
#define TASKER_CANCEL_SHUTDOWN 4

/* What `execute` returns. Anything else is a broken library and fails the step for good. */
#define TASKER_EXECUTE_VALUE 0 /* out: the step's result, one JSON value */
#define TASKER_EXECUTE_ERROR 1 /* out: a JSON object {message, error_type?, code?, retryable?, retry_after_ms?} */
#define TASKER_EXECUTE_FRAME 2 /* out: one terminal frame: `result`, `error` or `checkpoint` */

/* Both forms. The version this library was built for: TASKER_HANDLER_ABI_VERSION. Called first. */
TASKER_HANDLER_EXPORT uint32_t tasker_handler_abi_version(void);

/* Both forms. Takes back what the library passed out. `length` is the one it was passed out with. NULL is ignored. */
TASKER_HANDLER_EXPORT void tasker_handler_free(uint8_t *bytes, size_t length);

/*
 * Full form. Starts the library's threads.
 *
 * `config`: a JSON object {"name": text, "slots": integer, "settings": {text: text}}.
 * On success returns 0, puts a handle into `*context` and the manifest into `*out`: a JSON list of
 * {"callable": text, "kind"?: "step" | "decision" | "batch_analyzer" | "batch_worker"}.
 * Otherwise returns another number and may put one UTF-8 sentence that says why into `*out`.
 * Several handles may be open at once. Safe to call again after `close`.
 */
TASKER_HANDLER_EXPORT int32_t tasker_handler_open(const uint8_t *config, size_t config_length,
                                                  void **context, uint8_t **out, size_t *out_length);

/*
 * Full form. Takes one or more whole `step` frames. Never waits.
 *
 * Returns how many bytes it took: whole frames, from the start. Less than `length` means that there is no room; the
 * host offers the rest again later. A negative number means that the library is broken: it is closed.
 * The host never has more than `slots` deliveries unanswered.
 */
TASKER_HANDLER_EXPORT int64_t tasker_handler_offer(void *context, const uint8_t *frames, size_t length);

/*
 * Full form. Puts whole frames, as many as fit, into `buffer`. Never waits.
 *
 * Returns how many bytes it wrote; 0 when there is nothing. When not even the next frame fits: minus its size; the
 * host calls again with a larger buffer.
 */
TASKER_HANDLER_EXPORT int64_t tasker_handler_drain(void *context, uint8_t *buffer, size_t capacity);

/*
 * Full form. The reading end of a pipe or socket pair into which the library writes at least one byte whenever there
 * is something to drain and there was nothing before. Asked once per handle; the host owns the descriptor from then
 * on, sets it non-blocking, and closes it before `close`: a write that fails with EPIPE is to be ignored, and must not
 * raise SIGPIPE. -1: there is none, and the host looks every few milliseconds.
 */
TASKER_HANDLER_EXPORT int32_t tasker_handler_wake_fd(void *context);

/*
 * Full form. A step should stop: it is answered all the same, and soon. `delivery_id` is the one in its header; one
 * that is not here any more is ignored.
 */
TASKER_HANDLER_EXPORT void tasker_handler_cancel(void *context, const uint8_t *delivery_id, size_t length,
                                                 int32_t reason);

/*
 * Full form. The handle is not used again. Must not wait for running handlers: a thread that is still busy ends by
 * itself, what it answers is dropped, and the last one frees what they share. The library stays loaded.
 */
TASKER_HANDLER_EXPORT void tasker_handler_close(void *context);

/*
 * Simple form. Runs one step; `in` is its `step` frame. Returns one of TASKER_EXECUTE_*; `*out` may stay NULL for
 * TASKER_EXECUTE_VALUE, which then means `null`. It cannot be cancelled: a host that wants to get rid of a call that
 * does not end has to run the library isolated.
 */
TASKER_HANDLER_EXPORT int32_t tasker_handler_execute(const uint8_t *in, size_t in_length, uint8_t **out,
                                                     size_t *out_length);

/*
 * Simple form, optional. The manifest, as `open` gives it; returns 0. Without it the configuration names the callables.
 */
TASKER_HANDLER_EXPORT int32_t tasker_handler_manifest(uint8_t **out, size_t *out_length);

#ifdef __cplusplus
}
#endif

#endif
