-- purpose: a move is the run of transitions that one call makes a step do in one transaction. The log stores one
--          row per move instead of one per transition (a third of the rows); readers expand it through step_moves.
create type tasker_core.step_move as enum (
  'created', 'enqueue', 'hand_off', 'claim', 'redeliver', 'checkpoint',
  'submit_success', 'submit_error', 'settle_success', 'settle_retry', 'settle_error',
  'succeed', 'retry_later', 'fail', 'retry_enqueue', 'retry_hand_off',
  'cancel', 'reset', 'resolve_by_hand', 'complete_by_hand'
);
