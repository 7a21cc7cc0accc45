/**
 * Keys whose built-in default comes from the environment, so that a variable works without any file. The
 * base files say the same as `${VAR:-default}`.
 */
export const ENVIRONMENT_KEYS: Readonly<Record<string, string>> = {
  "common.database.url": "DATABASE_URL",
  "common.pgmq_database.url": "PGMQ_DATABASE_URL",
  "common.queues.backend": "TASKER_MESSAGING_BACKEND",
  "common.queues.rabbitmq.url": "RABBITMQ_URL",
  "common.cache.redis.url": "REDIS_URL",
  "common.cache.memcached.url": "MEMCACHED_URL",
  "common.execution.environment": "TASKER_ENV",
  "orchestration.web.bind_address": "TASKER_WEB_BIND_ADDRESS",
  "orchestration.web.auth.jwt_public_key": "TASKER_JWT_PUBLIC_KEY",
  "orchestration.web.auth.jwt_public_key_path": "TASKER_JWT_PUBLIC_KEY_PATH",
  "orchestration.grpc.bind_address": "TASKER_ORCHESTRATION_GRPC_BIND_ADDRESS",
  "worker.worker_id": "TASKER_WORKER_ID",
  "worker.web.bind_address": "TASKER_WEB_BIND_ADDRESS",
  "worker.web.auth.jwt_public_key": "TASKER_JWT_PUBLIC_KEY",
  "worker.web.auth.jwt_public_key_path": "TASKER_JWT_PUBLIC_KEY_PATH",
  "worker.grpc.bind_address": "TASKER_WORKER_GRPC_BIND_ADDRESS",
};
