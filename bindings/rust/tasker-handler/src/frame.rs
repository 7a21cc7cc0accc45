//! Frames of the bridge: `u32 length`, `u32 header_len`, header, body; integers big-endian.

use crate::error::HandlerError;
use crate::result::{Answer, StepResult};
use serde_json::{json, Map, Value};

const PREFIX: usize = 8;
const MAX_MESSAGE_BYTES: usize = 8 * 1024;

/// Cuts whole frames; `None` when the lengths are not those of whole frames.
pub(crate) fn split(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = read(bytes, 0)?;
        let header = read(bytes, 4)?;
        let end = length.checked_add(4)?;
        let header_end = header.checked_add(PREFIX)?;
        if end > bytes.len() || header_end > end {
            return None;
        }
        frames.push((&bytes[PREFIX..header_end], &bytes[header_end..end]));
        bytes = &bytes[end..];
    }
    Some(frames)
}

fn read(bytes: &[u8], at: usize) -> Option<usize> {
    let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(word) as usize)
}

pub(crate) fn answer(delivery_id: &str, execution_ms: u64, outcome: Result<StepResult, HandlerError>) -> Vec<u8> {
    match outcome {
        Ok(StepResult(Answer::Value { value, outcome, metadata })) => {
            let mut body = value.to_string().into_bytes();
            let header = json!({
                "type": "result", "delivery_id": delivery_id, "execution_ms": execution_ms, "outcome": outcome,
                "split": body.len(),
            });
            if !metadata.is_empty() {
                body.extend_from_slice(json!({ "metadata": metadata }).to_string().as_bytes());
            }
            frame(&header, &body)
        }
        Ok(StepResult(Answer::Checkpoint { cursor, items_processed, accumulated_results })) => {
            let header = json!({
                "type": "checkpoint", "delivery_id": delivery_id, "seq": 1, "items_processed": items_processed,
                "yield": true,
            });
            let mut body = Map::from_iter([("cursor".to_owned(), cursor)]);
            if let Some(results) = accumulated_results {
                body.insert("accumulated_results".to_owned(), results);
            }
            frame(&header, Value::from(body).to_string().as_bytes())
        }
        Err(error) => {
            let mut header = json!({
                "type": "error", "delivery_id": delivery_id, "execution_ms": execution_ms,
                "error_type": clipped(&error.error_type, 256), "message": clipped(&error.message, MAX_MESSAGE_BYTES),
                "retryable": error.retryable, "kind": error.kind,
            });
            if let Some(code) = &error.code {
                header["code"] = clipped(code, 256).into();
            }
            if let Some(delay) = error.retry_after_ms {
                header["retry_after_ms"] = delay.into();
            }
            frame(&header, &error.body())
        }
    }
}

/// The longest start of at most `limit` bytes that ends between characters.
fn clipped(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

pub(crate) fn frame(header: &Value, body: &[u8]) -> Vec<u8> {
    let header = header.to_string();
    let length = 4 + header.len() + body.len();
    let mut bytes = Vec::with_capacity(4 + length);
    bytes.extend_from_slice(&(length as u32).to_be_bytes());
    bytes.extend_from_slice(&(header.len() as u32).to_be_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_frames_are_cut_and_anything_else_is_refused() {
        let mut bytes = frame(&json!({ "type": "step" }), b"{}");
        bytes.extend(frame(&json!({ "type": "step", "n": 2 }), b""));
        let frames = split(&bytes).expect("two frames");
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].1, b"{}");
        for end in 1..bytes.len() {
            let cut = split(&bytes[..end]);
            assert!(cut.is_none() || cut.expect("one frame").len() == 1);
        }
        assert!(split(&[0xff; 64]).is_none());
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let error = HandlerError::permanent("é".repeat(MAX_MESSAGE_BYTES));
        let bytes = answer("id", 0, Err(error));
        let (header, _) = split(&bytes).expect("a frame")[0];
        let header: Value = serde_json::from_slice(header).expect("JSON");
        assert!(header["message"].as_str().expect("text").len() <= MAX_MESSAGE_BYTES);
    }
}
