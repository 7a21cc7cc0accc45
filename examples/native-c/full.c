/*
 * The full form: a pool of threads between a queue of steps and a queue of answers.
 *
 *   cc -std=c11 -O2 -shared -fPIC -fvisibility=hidden -pthread -I bindings/abi/include examples/native-c/full.c -o libfull.so
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "tasker_handler.h"

typedef struct item {
  struct item *next;
  uint8_t *frame;
  size_t size;
  atomic_int cancelled;
} item_t;

typedef struct {
  item_t *first, *last;
} queue_t;

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t arrived;
  queue_t steps, answers;
  item_t *running; /* so that `cancel` finds them */
  int wake_read, wake_write;
  int is_closed;
  int owners; /* threads, and the host until `close` */
} context_t;

static void push(queue_t *queue, item_t *item) {
  item->next = NULL;
  if (queue->last == NULL) queue->first = item;
  else queue->last->next = item;
  queue->last = item;
}

static item_t *pop(queue_t *queue) {
  item_t *item = queue->first;
  if (item == NULL) return NULL;
  queue->first = item->next;
  if (queue->first == NULL) queue->last = NULL;
  return item;
}

static void free_item(item_t *item) {
  free(item->frame);
  free(item);
}

static void free_queue(queue_t *queue) {
  for (item_t *item = pop(queue); item != NULL; item = pop(queue)) free_item(item);
}

/* With the lock held; gives it up. The last owner frees everything. */
static void let_go(context_t *context) {
  int left = --context->owners;
  pthread_mutex_unlock(&context->lock);
  if (left > 0) return;
  free_queue(&context->steps);
  free_queue(&context->answers);
  close(context->wake_write);
  pthread_cond_destroy(&context->arrived);
  pthread_mutex_destroy(&context->lock);
  free(context);
}

static void pause_ms(long ms) {
  struct timespec time = {ms / 1000, (ms % 1000) * 1000000};
  nanosleep(&time, NULL);
}

static uint8_t *echo(text_t id, text_t body, size_t *size) {
  text_t context = after_key(body, "context");
  const char *end = memchr(context.bytes, '}', context.length);
  if (end == NULL) return result_frame(id, 0, "success", "null", 4, size);
  return result_frame(id, 0, "success", context.bytes, (size_t)(end - context.bytes + 1), size);
}

static uint8_t *value_of(text_t id, long number, size_t *size) {
  char value[64];
  int written = snprintf(value, sizeof value, "{\"value\":%ld}", number);
  return result_frame(id, 0, "success", value, (size_t)written, size);
}

static long value_in(text_t results, const char *step, size_t length) {
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)length, step);
  return integer_field(after_key(results, name), "value", 0);
}

/* Adds up the values of the steps that the template names in `from`, and `plus`. */
static uint8_t *add(text_t id, text_t body, size_t *size) {
  text_t results = after_key(body, "dependency_results");
  text_t settings = after_key(after_key(body, "step_definition"), "initialization");
  text_t from = after_key(settings, "from");
  long sum = integer_field(settings, "plus", 0);
  const char *end = memchr(from.bytes, ']', from.length);
  for (const char *at = from.bytes; end != NULL && at < end; at++) {
    if (*at != '"') continue;
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    if (close == NULL) break;
    sum += value_in(results, at + 1, (size_t)(close - at - 1));
    at = close;
  }
  return value_of(id, sum, size);
}

static uint8_t *join(text_t id, text_t body, size_t *size) {
  text_t results = after_key(body, "dependency_results");
  long left = value_in(results, "left", 4), right = value_in(results, "right", 5);
  char value[160];
  int written = snprintf(value, sizeof value, "{\"value\":%ld,\"left\":{\"value\":%ld},\"right\":{\"value\":%ld}}",
                         left * right, left, right);
  return result_frame(id, 0, "success", value, (size_t)written, size);
}

/* Two workers, each with half of the rows. */
static uint8_t *analyze(text_t id, text_t body, size_t *size) {
  long rows = integer_field(after_key(body, "context"), "rows", 0);
  char value[512];
  int written =
      snprintf(value, sizeof value,
               "{\"batch_processing_outcome\":{\"type\":\"create_batches\",\"worker_template_name\":\"process\","
               "\"worker_count\":2,\"total_items\":%ld,\"cursor_configs\":["
               "{\"batch_id\":\"001\",\"start_cursor\":0,\"end_cursor\":%ld,\"batch_size\":%ld},"
               "{\"batch_id\":\"002\",\"start_cursor\":%ld,\"end_cursor\":%ld,\"batch_size\":%ld}]}}",
               rows, rows / 2, rows / 2, rows / 2, rows, rows - rows / 2);
  return result_frame(id, 0, "batch_plan", value, (size_t)written, size);
}

static uint8_t *process(text_t id, text_t body, size_t *size) {
  text_t cursor = after_key(after_key(body, "workflow_step"), "cursor");
  return value_of(id, integer_field(cursor, "end_cursor", 0) - integer_field(cursor, "start_cursor", 0), size);
}

/* The values of all steps before this one. */
static uint8_t *count(text_t id, text_t body, size_t *size) {
  text_t rest = after_key(body, "dependency_results"), end = after_key(body, "step_definition");
  long sum = 0;
  for (;;) {
    rest = after_key(rest, "value");
    if (rest.length == 0 || rest.bytes >= end.bytes) return value_of(id, sum, size);
    sum += strtol(rest.bytes, NULL, 10);
  }
}

static uint8_t *spin(text_t id, text_t body, size_t *size) {
  long ms = integer_field(body, "spin_ms", 20);
  struct timespec now, start;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
  do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
  return result_frame(id, ms, "success", "true", 4, size);
}

static uint8_t *wait_until_told(text_t id, item_t *item, size_t *size) {
  for (int turn = 0; turn < 3000; turn++) {
    int reason = atomic_load(&item->cancelled);
    if (reason == TASKER_CANCEL_TIMEOUT)
      return error_frame(id, turn * 10, "timeout", "handler_timeout", "told to stop: timeout", 1, size);
    if (reason != 0) return error_frame(id, turn * 10, "cancelled", "cancelled", "told to stop", 0, size);
    pause_ms(10);
  }
  return error_frame(id, 30000, "handler", "Forgotten", "nobody told this handler to stop", 0, size);
}

static uint8_t *answer(item_t *item, size_t *size) {
  text_t header = frame_header(item->frame), body = frame_body(item->frame);
  text_t id = text_field(header, "delivery_id"), callable = text_field(header, "callable");
  if (text_is(callable, "c.echo")) return echo(id, body, size);
  if (text_is(callable, "c.seed")) return value_of(id, integer_field(after_key(body, "context"), "n", 0), size);
  if (text_is(callable, "c.add")) return add(id, body, size);
  if (text_is(callable, "c.join")) return join(id, body, size);
  if (text_is(callable, "c.analyze")) return analyze(id, body, size);
  if (text_is(callable, "c.process")) return process(id, body, size);
  if (text_is(callable, "c.count")) return count(id, body, size);
  if (text_is(callable, "c.spin")) return spin(id, body, size);
  if (text_is(callable, "c.wait")) return wait_until_told(id, item, size);
  if (text_is(callable, "c.fail"))
    return error_frame(id, 0, "handler", "permanent_error", "this step always fails", 0, size);
  return error_frame(id, 0, "handler_not_found", "handler_not_found", "no such handler", 0, size);
}

static void forget(context_t *context, item_t *item) {
  item_t **at = &context->running;
  while (*at != item) at = &(*at)->next;
  *at = item->next;
}

static void *work(void *argument) {
  context_t *context = argument;
  pthread_mutex_lock(&context->lock);
  for (;;) {
    while (context->steps.first == NULL && !context->is_closed)
      pthread_cond_wait(&context->arrived, &context->lock);
    if (context->is_closed) break;
    item_t *item = pop(&context->steps);
    item->next = context->running;
    context->running = item;
    pthread_mutex_unlock(&context->lock);
    size_t size = 0;
    uint8_t *frame = answer(item, &size);
    pthread_mutex_lock(&context->lock);
    forget(context, item);
    free(item->frame);
    item->frame = frame;
    item->size = size;
    int was_empty = context->answers.first == NULL;
    if (frame == NULL || context->is_closed) {
      free_item(item);
      continue;
    }
    push(&context->answers, item);
    /* One byte per emptiness: the host drains until there is nothing. A full pipe has enough of them. */
    if (was_empty && write(context->wake_write, "", 1) < 0) continue;
  }
  let_go(context);
  return NULL;
}

uint32_t tasker_handler_abi_version(void) { return TASKER_HANDLER_ABI_VERSION; }

void tasker_handler_free(uint8_t *bytes, size_t length) {
  (void)length;
  free(bytes);
}

static int32_t say(int32_t code, const char *text, uint8_t **out, size_t *out_length) {
  *out_length = strlen(text);
  *out = malloc(*out_length);
  if (*out != NULL) memcpy(*out, text, *out_length);
  else *out_length = 0;
  return code;
}

static const char MANIFEST[] =
    "[{\"callable\":\"c.echo\"},{\"callable\":\"c.seed\"},{\"callable\":\"c.add\"},{\"callable\":\"c.join\"},"
    "{\"callable\":\"c.analyze\",\"kind\":\"batch_analyzer\"},{\"callable\":\"c.process\",\"kind\":\"batch_worker\"},"
    "{\"callable\":\"c.count\"},{\"callable\":\"c.spin\"},{\"callable\":\"c.wait\"},{\"callable\":\"c.fail\"}]";

int32_t tasker_handler_open(const uint8_t *config, size_t config_length, void **out_context, uint8_t **out,
                            size_t *out_length) {
  long slots = integer_field((text_t){(const char *)config, config_length}, "slots", 1);
  int ends[2];
  if (pipe(ends) != 0) return say(1, "no pipe can be made", out, out_length);
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  context_t *context = calloc(1, sizeof *context);
  if (context == NULL) return say(1, "no memory", out, out_length);
  pthread_mutex_init(&context->lock, NULL);
  pthread_cond_init(&context->arrived, NULL);
  context->wake_read = ends[0];
  context->wake_write = ends[1];
  context->owners = 1;
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  pthread_mutex_lock(&context->lock);
  for (long i = 0; i < slots; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &detached, work, context) == 0) context->owners++;
  }
  int has_threads = context->owners > 1;
  pthread_attr_destroy(&detached);
  pthread_mutex_unlock(&context->lock);
  if (!has_threads) {
    close(ends[0]);
    tasker_handler_close(context);
    return say(1, "no thread can be started", out, out_length);
  }
  *out_context = context;
  return say(0, MANIFEST, out, out_length);
}

int64_t tasker_handler_offer(void *handle, const uint8_t *frames, size_t length) {
  context_t *context = handle;
  size_t at = 0;
  pthread_mutex_lock(&context->lock);
  while (at < length) {
    size_t size = frame_size(frames + at);
    item_t *item = calloc(1, sizeof *item);
    uint8_t *copy = malloc(size);
    if (item == NULL || copy == NULL) {
      free(item);
      free(copy);
      break;
    }
    memcpy(copy, frames + at, size);
    item->frame = copy;
    item->size = size;
    push(&context->steps, item);
    pthread_cond_signal(&context->arrived);
    at += size;
  }
  pthread_mutex_unlock(&context->lock);
  return (int64_t)at;
}

int64_t tasker_handler_drain(void *handle, uint8_t *buffer, size_t capacity) {
  context_t *context = handle;
  size_t used = 0;
  int64_t result = 0;
  pthread_mutex_lock(&context->lock);
  while (context->answers.first != NULL) {
    item_t *next = context->answers.first;
    if (used + next->size > capacity) {
      if (used == 0) result = -(int64_t)next->size;
      break;
    }
    pop(&context->answers);
    memcpy(buffer + used, next->frame, next->size);
    used += next->size;
    free_item(next);
  }
  pthread_mutex_unlock(&context->lock);
  return used > 0 ? (int64_t)used : result;
}

int32_t tasker_handler_wake_fd(void *handle) { return ((context_t *)handle)->wake_read; }

static void cancel_in(item_t *item, text_t id, int reason) {
  for (; item != NULL; item = item->next) {
    text_t own = text_field(frame_header(item->frame), "delivery_id");
    if (own.length == id.length && memcmp(own.bytes, id.bytes, id.length) == 0)
      atomic_store(&item->cancelled, reason);
  }
}

void tasker_handler_cancel(void *handle, const uint8_t *delivery_id, size_t length, int32_t reason) {
  context_t *context = handle;
  text_t id = {(const char *)delivery_id, length};
  pthread_mutex_lock(&context->lock);
  cancel_in(context->steps.first, id, reason);
  cancel_in(context->running, id, reason);
  pthread_mutex_unlock(&context->lock);
}

void tasker_handler_close(void *handle) {
  context_t *context = handle;
  pthread_mutex_lock(&context->lock);
  context->is_closed = 1;
  for (item_t *item = context->running; item != NULL; item = item->next)
    atomic_store(&item->cancelled, TASKER_CANCEL_SHUTDOWN);
  pthread_cond_broadcast(&context->arrived);
  let_go(context);
}
