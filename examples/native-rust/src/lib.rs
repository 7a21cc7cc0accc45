//! Step handlers in Rust: `cargo build --release` makes the library that `[[worker.native]]` names.

use std::time::{Duration, Instant};
use tasker_handler::{export, json, Context, CursorConfig, HandlerError, StepResult};

type Answer = Result<StepResult, HandlerError>;

export! {
    "rust.echo" => echo,
    "rust.seed" => seed,
    "rust.add" => add,
    "rust.join" => join,
    "rust.route" => route,
    "rust.analyze" => analyze,
    "rust.process" => process,
    "rust.count" => count,
    "rust.page" => page,
    "rust.spin" => spin,
    "rust.wait" => wait,
    "rust.fail" => fail,
    "rust.flaky" => flaky,
    "rust.panic" => panic,
}

fn echo(context: &Context) -> Answer {
    Ok(StepResult::value(context.event()["task"]["task"]["context"].clone()))
}

fn seed(context: &Context) -> Answer {
    Ok(StepResult::value(json!({ "value": context.input("n") })))
}

/// Adds up the values of the steps that the template names.
fn add(context: &Context) -> Answer {
    let from = context.config("from").as_array().ok_or_else(|| HandlerError::permanent("no `from`"))?;
    let values = from.iter().filter_map(|step| context.dependency(step.as_str()?)["value"].as_i64());
    let sum = values.sum::<i64>() + context.config("plus").as_i64().unwrap_or(0);
    Ok(StepResult::value(json!({ "value": sum })))
}

fn join(context: &Context) -> Answer {
    let (left, right) = (context.dependency("left"), context.dependency("right"));
    let value = left["value"].as_i64().unwrap_or(0) * right["value"].as_i64().unwrap_or(0);
    Ok(StepResult::value(json!({ "value": value, "left": left, "right": right })))
}

fn route(context: &Context) -> Answer {
    match context.input("n").as_i64() {
        Some(n) if n > 100 => Ok(StepResult::decision(&["large"])),
        Some(n) if n > 0 => Ok(StepResult::decision(&["small"])),
        _ => Ok(StepResult::no_branches("there is nothing")),
    }
}

fn analyze(context: &Context) -> Answer {
    match context.input("rows").as_u64() {
        Some(0) | None => Ok(StepResult::no_batches()),
        Some(rows) => Ok(StepResult::batches("process", &CursorConfig::shares(rows, 30), rows)),
    }
}

fn process(context: &Context) -> Answer {
    let batch = context.batch().ok_or_else(|| HandlerError::permanent("not a batch worker"))?;
    Ok(StepResult::value(json!({ "rows": batch.end - batch.start })))
}

fn count(context: &Context) -> Answer {
    let rows = context.dependencies().filter_map(|step| context.dependency(step)["rows"].as_u64());
    Ok(StepResult::value(json!({ "rows": rows.sum::<u64>() })))
}

/// Three pages, each stored before the next one.
fn page(context: &Context) -> Answer {
    let done = context.checkpoint()["cursor"].as_u64().unwrap_or(0);
    if done == 3 {
        return Ok(StepResult::value(json!({ "pages": done, "before": context.checkpoint()["accumulated_results"] })));
    }
    Ok(StepResult::checkpoint(done + 1, done + 1, Some(json!({ "last": done + 1 }))))
}

/// Work for a processor.
fn spin(context: &Context) -> Answer {
    let span = Duration::from_millis(context.input("spin_ms").as_u64().unwrap_or(20));
    let began = Instant::now();
    let mut hash = 1_u64;
    while began.elapsed() < span {
        for round in 0..1_000_u64 {
            hash = std::hint::black_box(hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round));
        }
    }
    Ok(StepResult::value(json!({ "hash": hash.to_string() })))
}

fn wait(context: &Context) -> Answer {
    for _ in 0..3_000 {
        if context.is_cancelled() {
            return Err(HandlerError::cancelled());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(HandlerError::permanent("nobody told this handler to stop"))
}

fn fail(_: &Context) -> Answer {
    Err(HandlerError::permanent("this step always fails").with_type("Declined").with_code("E42").with_context("hint", 7))
}

fn flaky(context: &Context) -> Answer {
    if context.attempt() < 3 {
        let message = format!("attempt {} fails", context.attempt());
        return Err(HandlerError::retryable(message).retry_after_ms(1));
    }
    Ok(StepResult::value(json!({ "attempt": context.attempt() })).with_metadata("tries", context.attempt()))
}

fn panic(_: &Context) -> Answer {
    let nothing: Option<u8> = None;
    Ok(StepResult::value(nothing.expect("there is nothing here")))
}
