//! Threads between a queue of steps and a queue of answers.

use crate::context::Context;
use crate::error::HandlerError;
use crate::frame;
use crate::result::StepResult;
use crate::wake::Wake;
use crate::Handler;
use serde_json::{json, Value};
use std::collections::{HashMap, VecDeque};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

const CANCEL_SHUTDOWN: i32 = 4;

/// Handlers by the names that templates use.
#[derive(Default)]
pub struct Handlers(HashMap<String, Box<dyn Handler>>);

impl Handlers {
    pub fn new() -> Self {
        Self::default()
    }

    /// The last one under a name counts.
    pub fn add(&mut self, callable: impl Into<String>, handler: impl Handler) {
        self.0.insert(callable.into(), Box::new(handler));
    }

    fn manifest(&self) -> Vec<u8> {
        let entries: Vec<Value> = self
            .0
            .iter()
            .map(|(callable, handler)| json!({ "callable": callable, "kind": handler.kind() }))
            .collect();
        Value::from(entries).to_string().into_bytes()
    }
}

struct Step {
    delivery_id: String,
    header: Value,
    body: Vec<u8>,
    cancelled: Arc<AtomicI32>,
}

struct State {
    steps: VecDeque<Step>,
    answers: VecDeque<Vec<u8>>,
    /// Waiting or running, by delivery.
    cancellations: HashMap<String, Arc<AtomicI32>>,
    wake: Wake,
    is_closed: bool,
}

struct Shared {
    handlers: Handlers,
    state: Mutex<State>,
    arrived: Condvar,
}

/// One open handle.
pub(crate) struct Runtime(Arc<Shared>);

impl Runtime {
    pub(crate) fn open(handlers: Handlers, config: &[u8]) -> Result<(Self, Vec<u8>), String> {
        let config: Value = serde_json::from_slice(config).map_err(|error| error.to_string())?;
        let slots = config["slots"].as_u64().unwrap_or(1).max(1);
        let wake = Wake::new().map_err(|error| error.to_string())?;
        let manifest = handlers.manifest();
        let state = State {
            steps: VecDeque::new(),
            answers: VecDeque::new(),
            cancellations: HashMap::new(),
            wake,
            is_closed: false,
        };
        let shared = Arc::new(Shared { handlers, state: Mutex::new(state), arrived: Condvar::new() });
        let runtime = Self(shared);
        for _ in 0..slots {
            let shared = Arc::clone(&runtime.0);
            let thread = thread::Builder::new().name("tasker-handler".into());
            if let Err(error) = thread.spawn(move || shared.work()) {
                runtime.close();
                return Err(error.to_string());
            }
        }
        Ok((runtime, manifest))
    }

    /// False when these are no frames.
    pub(crate) fn offer(&self, bytes: &[u8]) -> bool {
        let Some(frames) = frame::split(bytes) else { return false };
        let steps: Option<Vec<Step>> = frames.into_iter().map(|(header, body)| Step::read(header, body)).collect();
        let Some(steps) = steps else { return false };
        let mut state = self.0.lock();
        for step in steps {
            state.cancellations.insert(step.delivery_id.clone(), Arc::clone(&step.cancelled));
            state.steps.push_back(step);
            self.0.arrived.notify_one();
        }
        true
    }

    pub(crate) fn drain(&self, buffer: &mut [u8]) -> i64 {
        let mut state = self.0.lock();
        let mut used = 0;
        while let Some(next) = state.answers.front() {
            let end = used + next.len();
            if end > buffer.len() {
                return if used == 0 { -(next.len() as i64) } else { used as i64 };
            }
            buffer[used..end].copy_from_slice(next);
            used = end;
            state.answers.pop_front();
        }
        used as i64
    }

    pub(crate) fn wake_fd(&self) -> i32 {
        self.0.lock().wake.take()
    }

    pub(crate) fn cancel(&self, delivery_id: &str, reason: i32) {
        if let Some(cancelled) = self.0.lock().cancellations.get(delivery_id) {
            cancelled.store(reason, Ordering::Relaxed);
        }
    }

    /// Threads that are busy end by themselves, and the last one frees what they share.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        state.steps.clear();
        for cancelled in state.cancellations.values() {
            cancelled.store(CANCEL_SHUTDOWN, Ordering::Relaxed);
        }
        self.0.arrived.notify_all();
    }
}

impl Step {
    fn read(header: &[u8], body: &[u8]) -> Option<Self> {
        let header: Value = serde_json::from_slice(header).ok()?;
        let delivery_id = header["delivery_id"].as_str()?.to_owned();
        Some(Self { delivery_id, header, body: body.to_vec(), cancelled: Arc::default() })
    }
}

impl Shared {
    /// No handler runs with the lock held, so nothing can have been left half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(step) = self.next() {
            let delivery_id = step.delivery_id.clone();
            let answer = self.run(step);
            let mut state = self.lock();
            state.cancellations.remove(&delivery_id);
            if state.is_closed {
                return;
            }
            let was_empty = state.answers.is_empty();
            state.answers.push_back(answer);
            if was_empty {
                state.wake.ring();
            }
        }
    }

    fn next(&self) -> Option<Step> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(step) = state.steps.pop_front() {
                return Some(step);
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&self, step: Step) -> Vec<u8> {
        let began = Instant::now();
        let Step { delivery_id, header, body, cancelled } = step;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.call(header, &body, cancelled)))
            .unwrap_or_else(|panic| Err(HandlerError::panic(panic_message(panic.as_ref()))));
        frame::answer(&delivery_id, began.elapsed().as_millis() as u64, outcome)
    }

    fn call(&self, header: Value, body: &[u8], cancelled: Arc<AtomicI32>) -> Result<StepResult, HandlerError> {
        let event = serde_json::from_slice(body).map_err(|error| HandlerError::unreadable(&error.to_string()))?;
        let context = Context { header, event, cancelled };
        match self.handlers.0.get(context.callable()) {
            Some(handler) => handler.call(&context),
            None => Err(HandlerError::not_found(context.callable())),
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("The handler panicked: {}", words.as_deref().unwrap_or("without words"))
}
