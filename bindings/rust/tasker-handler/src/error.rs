use serde_json::{json, Map, Value};
use std::fmt;

/// Why a step failed. `?` turns any other error into a retryable one.
#[derive(Debug, Clone)]
pub struct HandlerError {
    pub(crate) error_type: String,
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    pub(crate) retryable: bool,
    pub(crate) retry_after_ms: Option<u64>,
    pub(crate) kind: &'static str,
    pub(crate) context: Map<String, Value>,
}

impl HandlerError {
    /// Trying again may help.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new("retryable_error", message.into(), true, "handler")
    }

    /// Trying again is of no use.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new("permanent_error", message.into(), false, "handler")
    }

    /// The handler stopped because it was told to: see `Context::is_cancelled`.
    pub fn cancelled() -> Self {
        Self::new("cancelled", "the handler stopped when it was told to".into(), true, "cancelled")
    }

    /// A stable word for this kind of error.
    #[must_use]
    pub fn with_type(mut self, error_type: impl Into<String>) -> Self {
        self.error_type = error_type.into();
        self
    }

    /// A code of another system, such as a payment provider's.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// When trying again is worth it, in milliseconds from now.
    #[must_use]
    pub fn retry_after_ms(mut self, delay: u64) -> Self {
        self.retry_after_ms = Some(delay);
        self
    }

    /// What helps whoever reads about it.
    #[must_use]
    pub fn with_context(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context.insert(key.into(), value.into());
        self
    }

    pub(crate) fn not_found(callable: &str) -> Self {
        let message = format!("This library has no handler `{callable}`");
        Self::new("handler_not_found", message, false, "handler_not_found")
    }

    pub(crate) fn unreadable(why: &str) -> Self {
        Self::new("invalid_event", format!("The step's event cannot be read: {why}"), false, "handler")
    }

    pub(crate) fn panic(message: String) -> Self {
        Self::new("panic", message, false, "panic")
    }

    fn new(error_type: &str, message: String, retryable: bool, kind: &'static str) -> Self {
        Self {
            error_type: error_type.into(),
            message,
            code: None,
            retryable,
            retry_after_ms: None,
            kind,
            context: Map::new(),
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        if self.context.is_empty() {
            return Vec::new();
        }
        json!({ "context": self.context }).to_string().into_bytes()
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.error_type, self.message)
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::retryable(error.to_string()).with_type("handler_error")
    }
}
