/**
 * The environment variables that configuration may take values from, and what they must look like
 * (`contract/config.md` section 1). A value that does not match stops the start: it is either a mistake or
 * an attempt to write something else into the file.
 */
interface AllowedVariable {
  readonly pattern: RegExp;
  readonly expected: string;
}

const POSTGRES_URL = String.raw`postgresql:\/\/(?:[\w-]+(?::[^@\s/]*)?@)?[^@\s/?]*(?::\d{1,5})?\/[\w-]+(?:\?\S*)?`;
const HOST_AND_PORT: AllowedVariable = {
  pattern: /^(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]+):\d{1,5}$/,
  expected: "host:port",
};
const INSTANCE: AllowedVariable = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/,
  expected: "a letter or digit, then up to 63 letters, digits and -",
};

export const ALLOWED_VARIABLES: Readonly<Record<string, AllowedVariable>> = {
  DATABASE_URL: {
    pattern: new RegExp(`^${POSTGRES_URL}$`),
    expected:
      "postgresql://[user:password@]host[:port]/database (unset it to use the embedded one)",
  },
  PGMQ_DATABASE_URL: {
    pattern: new RegExp(`^(?:${POSTGRES_URL})?$`),
    expected: "postgresql://[user:password@]host[:port]/database, or empty",
  },
  TASKER_ENV: {
    pattern: /^(?:test|development|production)$/,
    expected: "test, development or production",
  },
  TASKER_CONFIG_PATH: { pattern: /^\S.*\.toml$/, expected: "a path that ends in .toml" },
  TASKER_TEMPLATE_PATH: {
    pattern: /^[A-Za-z0-9._/-]+$/,
    expected: "a path of letters, digits and . _ - /",
  },
  TASKER_WEB_BIND_ADDRESS: HOST_AND_PORT,
  TASKER_ORCHESTRATION_GRPC_BIND_ADDRESS: HOST_AND_PORT,
  TASKER_WORKER_GRPC_BIND_ADDRESS: HOST_AND_PORT,
  TASKER_MESSAGING_BACKEND: { pattern: /^(?:pgmq|rabbitmq)$/, expected: "pgmq or rabbitmq" },
  RABBITMQ_URL: {
    pattern: /^amqp:\/\/(?:[^:@\s/]+(?::[^@\s/]*)?@)?[^@\s/:]+(?::\d{1,5})?(?:\/[^\s/]*)?$/,
    expected: "amqp://[user:password@]host[:port][/vhost]",
  },
  REDIS_URL: {
    pattern: /^redis:\/\/(?:[^:@\s/]*(?::[^@\s/]*)?@)?[^@\s/:]+(?::\d{1,5})?(?:\/\d+)?$/,
    expected: "redis://[user:password@]host[:port][/database]",
  },
  MEMCACHED_URL: {
    pattern: /^(?:tcp:\/\/[^@\s/:]+(?::\d{1,5})?|unix:\/\/\/\S+)$/,
    expected: "tcp://host[:port] or unix:///path",
  },
  TASKER_INSTANCE_ID: INSTANCE,
  TASKER_WORKER_ID: INSTANCE,
  TASKER_INSTANCE_PORT: { pattern: /^\d{1,5}$/, expected: "a port" },
  TASKER_JWT_PUBLIC_KEY: {
    pattern:
      /^-----BEGIN (?:RSA )?PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END (?:RSA )?PUBLIC KEY-----\s*$/,
    expected: "a public key in PEM form",
  },
  TASKER_JWT_PUBLIC_KEY_PATH: { pattern: /^\S.*\.pem$/, expected: "a path that ends in .pem" },
};

/** Why a variable may not be used with this value, or null when it may. The value itself is not shown. */
export function variableProblem(name: string, value: string): string | null {
  const allowed = Object.hasOwn(ALLOWED_VARIABLES, name) ? ALLOWED_VARIABLES[name] : undefined;
  if (allowed === undefined) {
    return `the environment variable ${name} may not be used in configuration; write its value there`;
  }
  if (allowed.pattern.test(value)) return null;
  return `the environment variable ${name} is not usable: expected ${allowed.expected}`;
}
