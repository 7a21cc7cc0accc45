/* Reading and writing frames, as far as the examples need it: fields of a header that hold plain text or integers. */
#ifndef EXAMPLE_FRAME_H
#define EXAMPLE_FRAME_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *bytes;
  size_t length;
} text_t;

static inline uint32_t read_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void write_u32(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 24);
  at[1] = (uint8_t)(value >> 16);
  at[2] = (uint8_t)(value >> 8);
  at[3] = (uint8_t)value;
}

static inline size_t frame_size(const uint8_t *frame) { return 4 + (size_t)read_u32(frame); }

static inline text_t frame_header(const uint8_t *frame) {
  return (text_t){(const char *)frame + 8, read_u32(frame + 4)};
}

static inline text_t frame_body(const uint8_t *frame) {
  size_t header = read_u32(frame + 4);
  return (text_t){(const char *)frame + 8 + header, frame_size(frame) - 8 - header};
}

/* What follows `"key":` and spaces, or an empty text. Enough for ids and names, which contain no quotes. */
static inline text_t after_key(text_t json, const char *key) {
  char quoted[64];
  size_t length = (size_t)snprintf(quoted, sizeof quoted, "\"%s\":", key);
  for (size_t at = 0; at + length <= json.length; at++)
    if (memcmp(json.bytes + at, quoted, length) == 0) {
      at += length;
      while (at < json.length && json.bytes[at] == ' ') at++;
      return (text_t){json.bytes + at, json.length - at};
    }
  return (text_t){json.bytes, 0};
}

/* The text under `key`, without its quotes; empty when there is none. */
static inline text_t text_field(text_t json, const char *key) {
  text_t value = after_key(json, key);
  if (value.length == 0 || value.bytes[0] != '"') return (text_t){json.bytes, 0};
  const char *end = memchr(value.bytes + 1, '"', value.length - 1);
  if (end == NULL) return (text_t){json.bytes, 0};
  return (text_t){value.bytes + 1, (size_t)(end - value.bytes - 1)};
}

/* The integer under `key`, or `otherwise`. */
static inline long integer_field(text_t json, const char *key, long otherwise) {
  text_t value = after_key(json, key);
  char digits[24] = {0};
  size_t length = value.length < sizeof digits - 1 ? value.length : sizeof digits - 1;
  memcpy(digits, value.bytes, length);
  char *end = NULL;
  long number = strtol(digits, &end, 10);
  return end == digits ? otherwise : number;
}

static inline int text_is(text_t text, const char *word) {
  return text.length == strlen(word) && memcmp(text.bytes, word, text.length) == 0;
}

/* A frame in memory of its own; NULL when there is none. */
static inline uint8_t *make_frame(const char *header, size_t header_length, const void *body, size_t body_length,
                                  size_t *size) {
  *size = 8 + header_length + body_length;
  uint8_t *frame = malloc(*size);
  if (frame == NULL) return NULL;
  write_u32(frame, (uint32_t)(*size - 4));
  write_u32(frame + 4, (uint32_t)header_length);
  memcpy(frame + 8, header, header_length);
  if (body_length > 0) memcpy(frame + 8 + header_length, body, body_length);
  return frame;
}

/* The answer to a step: a value, one JSON text. */
static inline uint8_t *result_frame(text_t delivery, long execution_ms, const char *outcome, const void *value,
                                    size_t length, size_t *size) {
  char header[256];
  int written =
      snprintf(header, sizeof header,
               "{\"type\":\"result\",\"delivery_id\":\"%.*s\",\"execution_ms\":%ld,\"outcome\":\"%s\",\"split\":%zu}",
               (int)delivery.length, delivery.bytes, execution_ms, outcome, length);
  return make_frame(header, (size_t)written, value, length, size);
}

/* The answer to a step: an error. `message` and `type` contain nothing that JSON escapes. */
static inline uint8_t *error_frame(text_t delivery, long execution_ms, const char *kind, const char *type,
                                   const char *message, int retryable, size_t *size) {
  char header[1024];
  int written =
      snprintf(header, sizeof header,
               "{\"type\":\"error\",\"delivery_id\":\"%.*s\",\"execution_ms\":%ld,\"error_type\":\"%s\","
               "\"message\":\"%s\",\"retryable\":%s,\"kind\":\"%s\"}",
               (int)delivery.length, delivery.bytes, execution_ms, type, message, retryable ? "true" : "false", kind);
  return make_frame(header, (size_t)written, NULL, 0, size);
}

#endif
