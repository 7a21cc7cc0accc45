use serde_json::Value;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::Arc;

/// One attempt at one step: what the handler knows.
#[derive(Debug)]
pub struct Context {
    pub(crate) header: Value,
    pub(crate) event: Value,
    pub(crate) cancelled: Arc<AtomicI32>,
}

/// A batch worker's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// First item.
    pub start: u64,
    /// Behind the last one.
    pub end: u64,
}

static NULL: Value = Value::Null;

impl Context {
    /// The name under which the handler was called.
    pub fn callable(&self) -> &str {
        self.header["callable"].as_str().unwrap_or("")
    }

    /// The method that the template names, if any.
    pub fn method(&self) -> Option<&str> {
        self.header["method"].as_str()
    }

    /// 1 on the first run.
    pub fn attempt(&self) -> u64 {
        self.header["attempt"].as_u64().unwrap_or(1)
    }

    /// The same for every attempt of this step: an idempotency key.
    pub fn step_uuid(&self) -> &str {
        self.header["step_uuid"].as_str().unwrap_or("")
    }

    pub fn task_uuid(&self) -> &str {
        self.header["task_uuid"].as_str().unwrap_or("")
    }

    pub fn correlation_id(&self) -> &str {
        self.header["correlation_id"].as_str().unwrap_or("")
    }

    /// Name of the step in its task.
    pub fn step_name(&self) -> &str {
        self.event["workflow_step"]["name"].as_str().unwrap_or("")
    }

    /// A field of the task's context; `null` when there is none.
    pub fn input(&self, key: &str) -> &Value {
        self.event["task"]["task"]["context"].get(key).unwrap_or(&NULL)
    }

    /// A field of the template's `handler.initialization`; `null` when there is none.
    pub fn config(&self, key: &str) -> &Value {
        self.event["step_definition"]["handler"]["initialization"].get(key).unwrap_or(&NULL)
    }

    /// The result of a step that this one depends on, directly or not; `null` when there is none.
    pub fn dependency(&self, step: &str) -> &Value {
        self.event["dependency_results"].get(step).and_then(|stored| stored.get("result")).unwrap_or(&NULL)
    }

    /// Names of the steps whose results are here.
    pub fn dependencies(&self) -> impl Iterator<Item = &str> {
        self.event["dependency_results"].as_object().into_iter().flat_map(|all| all.keys().map(String::as_str))
    }

    /// The share of a batch worker; `None` for every other step.
    pub fn batch(&self) -> Option<Batch> {
        let cursor = &self.event["workflow_step"]["inputs"]["cursor"];
        Some(Batch { start: cursor["start_cursor"].as_u64()?, end: cursor["end_cursor"].as_u64()? })
    }

    /// Where this step left off: `cursor`, `items_processed`, `accumulated_results`; `null` before the first one.
    pub fn checkpoint(&self) -> &Value {
        &self.event["workflow_step"]["checkpoint"]
    }

    /// The whole step event.
    pub fn event(&self) -> &Value {
        &self.event
    }

    /// The step should stop: its deadline has passed, its task was cancelled, its lease is lost, the worker stops.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) != 0
    }
}
