/*
 * The simple form: one call is one step, and the host calls from a thread per slot.
 *
 *   cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -I bindings/abi/include examples/native-c/simple.c -o libsimple.so
 */
#include "frame.h"
#include "tasker_handler.h"

uint32_t tasker_handler_abi_version(void) { return TASKER_HANDLER_ABI_VERSION; }

void tasker_handler_free(uint8_t *bytes, size_t length) {
  (void)length;
  free(bytes);
}

static int32_t say(int32_t code, const char *json, uint8_t **out, size_t *out_length) {
  *out_length = strlen(json);
  *out = malloc(*out_length);
  if (*out == NULL) abort();
  memcpy(*out, json, *out_length);
  return code;
}

int32_t tasker_handler_manifest(uint8_t **out, size_t *out_length) {
  return say(0, "[{\"callable\":\"c.checksum\"},{\"callable\":\"c.reject\"}]", out, out_length);
}

/* FNV-1a over the step's bytes: stands for a library that someone already has. */
static uint32_t checksum(text_t bytes) {
  uint32_t hash = 2166136261u;
  for (size_t at = 0; at < bytes.length; at++) hash = (hash ^ (uint8_t)bytes.bytes[at]) * 16777619u;
  return hash;
}

int32_t tasker_handler_execute(const uint8_t *in, size_t in_length, uint8_t **out, size_t *out_length) {
  (void)in_length;
  text_t callable = text_field(frame_header(in), "callable");
  if (text_is(callable, "c.checksum")) {
    /* The task's context, so that equal input has an equal answer. */
    text_t context = after_key(frame_body(in), "context");
    const char *end = memchr(context.bytes, '}', context.length);
    if (end != NULL) context.length = (size_t)(end - context.bytes + 1);
    char answer[64];
    snprintf(answer, sizeof answer, "{\"checksum\":%u}", checksum(context));
    return say(TASKER_EXECUTE_VALUE, answer, out, out_length);
  }
  if (text_is(callable, "c.reject"))
    return say(TASKER_EXECUTE_ERROR,
               "{\"message\":\"the sample was refused\",\"error_type\":\"Rejected\",\"retryable\":false}", out,
               out_length);
  return say(TASKER_EXECUTE_ERROR, "{\"message\":\"no such handler\",\"error_type\":\"handler_not_found\",\"retryable\":false}",
             out, out_length);
}
