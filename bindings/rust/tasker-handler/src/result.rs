use serde_json::{json, Map, Value};

/// What a handler answers.
#[derive(Debug, Clone)]
pub struct StepResult(pub(crate) Answer);

#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Value { value: Value, outcome: &'static str, metadata: Map<String, Value> },
    Checkpoint { cursor: Value, items_processed: u64, accumulated_results: Option<Value> },
}

/// One worker's share of a batch: the half-open range from `start` to `end`.
#[derive(Debug, Clone)]
pub struct CursorConfig {
    pub batch_id: String,
    pub start: u64,
    pub end: u64,
}

impl CursorConfig {
    /// Shares of at most `size` items, every item in exactly one of them; the ids count from `001`.
    ///
    /// # Panics
    /// When `size` is 0.
    pub fn shares(total: u64, size: u64) -> Vec<Self> {
        assert!(size > 0, "a share needs at least one item");
        (0..total.div_ceil(size))
            .map(|index| Self {
                batch_id: format!("{:03}", index + 1),
                start: index * size,
                end: total.min((index + 1) * size),
            })
            .collect()
    }
}

impl StepResult {
    /// The step is done; this is its result.
    pub fn value(value: impl Into<Value>) -> Self {
        Self::of(value.into(), "success")
    }

    /// A decision step: these steps of the template run.
    pub fn decision<S: AsRef<str>>(steps: &[S]) -> Self {
        let names: Vec<&str> = steps.iter().map(AsRef::as_ref).collect();
        let outcome = json!({ "type": "create_steps", "step_names": names });
        Self::of(json!({ "decision_point_outcome": outcome }), "decision")
    }

    /// A decision step: none of the branches runs.
    pub fn no_branches(reason: &str) -> Self {
        let outcome = json!({ "type": "no_branches" });
        Self::of(json!({ "decision_point_outcome": outcome, "reason": reason }), "decision")
    }

    /// A batchable step: one worker of `template` for each share.
    pub fn batches(template: &str, shares: &[CursorConfig], total_items: u64) -> Self {
        let configs: Vec<Value> = shares
            .iter()
            .map(|CursorConfig { batch_id, start, end }| {
                json!({
                    "batch_id": batch_id, "start_cursor": start, "end_cursor": end, "batch_size": end - start,
                })
            })
            .collect();
        let outcome = json!({
            "type": "create_batches",
            "worker_template_name": template,
            "worker_count": configs.len(),
            "cursor_configs": configs,
            "total_items": total_items,
        });
        Self::of(json!({ "batch_processing_outcome": outcome }), "batch_plan")
    }

    /// A batchable step: there is nothing to do.
    pub fn no_batches() -> Self {
        Self::of(json!({ "batch_processing_outcome": { "type": "no_batches" } }), "batch_plan")
    }

    /// Not done yet: stores how far it is, and the step is delivered again at once. See `Context::checkpoint`.
    pub fn checkpoint(cursor: impl Into<Value>, items_processed: u64, accumulated_results: Option<Value>) -> Self {
        Self(Answer::Checkpoint { cursor: cursor.into(), items_processed, accumulated_results })
    }

    /// Kept beside the result. A checkpoint has none.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, given: impl Into<Value>) -> Self {
        if let Answer::Value { metadata, .. } = &mut self.0 {
            metadata.insert(key.into(), given.into());
        }
        self
    }

    fn of(value: Value, outcome: &'static str) -> Self {
        Self(Answer::Value { value, outcome, metadata: Map::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_exactly_one_share() {
        for (total, size) in [(0, 3), (1, 3), (3, 3), (10, 3), (1000, 48)] {
            let shares = CursorConfig::shares(total, size);
            let mut next = 0;
            for share in &shares {
                assert_eq!(share.start, next);
                assert!(share.end > share.start && share.end - share.start <= size);
                next = share.end;
            }
            assert_eq!(next, total);
        }
    }
}
