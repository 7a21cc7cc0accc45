-- purpose: the transition tables of contract/states.md sections 1 and 2, and the moves built from them. A move that is
--          not a chain of listed transitions cannot be inserted. test/sql compares these rows with TypeScript and the docs.
create table tasker_core.task_transition_rules (
  from_state tasker_core.task_state not null,
  event text not null,
  to_state tasker_core.task_state not null,
  primary key (from_state, event, to_state)
);

insert into tasker_core.task_transition_rules (from_state, event, to_state) values
  ('pending', 'Start', 'initializing'),
  ('initializing', 'ReadyStepsFound', 'enqueuing_steps'),
  ('initializing', 'NoStepsFound', 'complete'),
  ('initializing', 'NoDependenciesReady', 'waiting_for_dependencies'),
  ('enqueuing_steps', 'StepsEnqueued', 'steps_in_process'),
  ('enqueuing_steps', 'EnqueueFailed', 'error'),
  ('steps_in_process', 'StepCompleted', 'evaluating_results'),
  ('steps_in_process', 'AllStepsCompleted', 'evaluating_results'),
  ('steps_in_process', 'StepFailed', 'waiting_for_retry'),
  ('steps_in_process', 'Complete', 'complete'),
  ('steps_in_process', 'Fail', 'error'),
  ('evaluating_results', 'AllStepsSuccessful', 'complete'),
  ('evaluating_results', 'ReadyStepsFound', 'enqueuing_steps'),
  ('evaluating_results', 'NoDependenciesReady', 'waiting_for_dependencies'),
  ('evaluating_results', 'PermanentFailure', 'blocked_by_failures'),
  ('waiting_for_dependencies', 'DependenciesReady', 'evaluating_results'),
  ('waiting_for_retry', 'RetryReady', 'enqueuing_steps'),
  ('blocked_by_failures', 'GiveUp', 'error'),
  -- Ours: no step is in error any more, after an operator acted on one.
  ('blocked_by_failures', 'FailuresCleared', 'evaluating_results'),
  -- Ours: the task stood still for longer than its limits allow. In steps_in_process that is Fail.
  ('evaluating_results', 'TimedOut', 'error'),
  ('waiting_for_dependencies', 'TimedOut', 'error'),
  ('waiting_for_retry', 'TimedOut', 'error'),
  ('blocked_by_failures', 'ManualResolution', 'resolved_manually');

insert into tasker_core.task_transition_rules (from_state, event, to_state)
select s.state, e.event, e.to_state
from unnest(enum_range(null::tasker_core.task_state)) as s(state)
cross join (values
  ('Cancel', 'cancelled'::tasker_core.task_state),
  ('ResolveManually', 'resolved_manually'::tasker_core.task_state)
) as e(event, to_state)
where s.state not in ('complete', 'error', 'cancelled', 'resolved_manually');

create table tasker_core.step_transition_rules (
  from_state tasker_core.step_state not null,
  event text not null,
  to_state tasker_core.step_state not null,
  primary key (from_state, event)
);

insert into tasker_core.step_transition_rules (from_state, event, to_state) values
  ('pending', 'Enqueue', 'enqueued'),
  ('enqueued', 'Start', 'in_progress'),
  ('pending', 'Start', 'in_progress'),
  ('in_progress', 'EnqueueForOrchestration', 'enqueued_for_orchestration'),
  ('in_progress', 'EnqueueAsErrorForOrchestration', 'enqueued_as_error_for_orchestration'),
  ('enqueued_for_orchestration', 'Complete', 'complete'),
  ('enqueued_as_error_for_orchestration', 'Complete', 'complete'),
  ('in_progress', 'Complete', 'complete'),
  ('enqueued_for_orchestration', 'Fail', 'error'),
  ('enqueued_as_error_for_orchestration', 'Fail', 'error'),
  ('in_progress', 'Fail', 'error'),
  ('pending', 'Fail', 'error'),
  ('enqueued', 'Fail', 'error'),
  ('pending', 'WaitForRetry', 'waiting_for_retry'),
  ('enqueued', 'WaitForRetry', 'waiting_for_retry'),
  ('in_progress', 'WaitForRetry', 'waiting_for_retry'),
  ('enqueued_as_error_for_orchestration', 'WaitForRetry', 'waiting_for_retry'),
  ('waiting_for_retry', 'Retry', 'pending'),
  ('error', 'Retry', 'pending'),
  ('error', 'ResetForRetry', 'pending'),
  ('pending', 'Cancel', 'cancelled'),
  ('enqueued', 'Cancel', 'cancelled'),
  ('in_progress', 'Cancel', 'cancelled'),
  ('enqueued_for_orchestration', 'Cancel', 'cancelled'),
  ('enqueued_as_error_for_orchestration', 'Cancel', 'cancelled'),
  ('error', 'Cancel', 'cancelled'),
  ('waiting_for_retry', 'Cancel', 'cancelled');

insert into tasker_core.step_transition_rules (from_state, event, to_state)
select s.state, e.event, e.to_state
from unnest(enum_range(null::tasker_core.step_state)) as s(state)
cross join (values
  ('CompleteManually', 'complete'::tasker_core.step_state),
  ('ResolveManually', 'resolved_manually'::tasker_core.step_state)
) as e(event, to_state);

-- A path may start from any state in from_states (null: the step did not exist) and runs through `path`.
create table tasker_core.step_moves (
  move tasker_core.step_move primary key,
  from_states tasker_core.step_state[],
  path tasker_core.step_state[] not null,
  events text[] not null
);

-- A task's path is decided by where it was and where it comes to rest.
create table tasker_core.task_moves (
  from_state tasker_core.task_state,
  to_state tasker_core.task_state not null,
  path tasker_core.task_state[] not null,
  events text[] not null,
  constraint one_path_between_two_states unique nulls not distinct (from_state, to_state)
);

create function tasker_core._refuse_illegal_step_move() returns trigger
language plpgsql set search_path to '' as $$
declare
  v_from tasker_core.step_state;
  v_previous tasker_core.step_state;
begin
  if cardinality(new.path) <> cardinality(new.events) then
    raise exception 'step move % needs one event per state of its path', new.move using errcode = 'TK001';
  end if;
  foreach v_from in array coalesce(new.from_states, array[null]::tasker_core.step_state[]) loop
    v_previous := v_from;
    for i in 1 .. cardinality(new.path) loop
      -- A new step appears as pending; nothing precedes it.
      if not (v_previous is null and new.path[i] = 'pending') and not exists (
        select from tasker_core.step_transition_rules r
        where r.from_state = v_previous and r.event = new.events[i] and r.to_state = new.path[i]
      ) then
        raise exception 'step move %: % -%-> % is not in the transition table',
          new.move, v_previous, new.events[i], new.path[i] using errcode = 'TK001';
      end if;
      v_previous := new.path[i];
    end loop;
  end loop;
  return new;
end $$;

create function tasker_core._refuse_illegal_task_move() returns trigger
language plpgsql set search_path to '' as $$
declare
  v_previous tasker_core.task_state := new.from_state;
begin
  if cardinality(new.path) <> cardinality(new.events) or new.path[cardinality(new.path)] <> new.to_state then
    raise exception 'task move % -> % does not end where it says', new.from_state, new.to_state using errcode = 'TK001';
  end if;
  for i in 1 .. cardinality(new.path) loop
    if not (v_previous is null and new.path[i] = 'pending') and not exists (
      select from tasker_core.task_transition_rules r
      where r.from_state = v_previous and r.event = new.events[i] and r.to_state = new.path[i]
    ) then
      raise exception 'task move % -> %: % -%-> % is not in the transition table',
        new.from_state, new.to_state, v_previous, new.events[i], new.path[i] using errcode = 'TK001';
    end if;
    v_previous := new.path[i];
  end loop;
  return new;
end $$;

create trigger step_moves_are_legal before insert or update on tasker_core.step_moves
for each row execute function tasker_core._refuse_illegal_step_move();

create trigger task_moves_are_legal before insert or update on tasker_core.task_moves
for each row execute function tasker_core._refuse_illegal_task_move();

insert into tasker_core.step_moves (move, from_states, path, events) values
  ('created', null, '{pending}', '{Created}'),
  ('enqueue', '{pending}', '{enqueued}', '{Enqueue}'),
  ('hand_off', '{pending}', '{enqueued,in_progress}', '{Enqueue,Start}'),
  ('claim', '{enqueued}', '{in_progress}', '{Start}'),
  -- The lease moved to another attempt of the same delivery: no transition, but the trail shows who took over.
  ('redeliver', '{in_progress}', '{}', '{}'),
  -- The step has stored its progress and goes on under a new lease: no transition either.
  ('checkpoint', '{in_progress}', '{}', '{}'),
  ('submit_success', '{in_progress}', '{enqueued_for_orchestration}', '{EnqueueForOrchestration}'),
  ('submit_error', '{in_progress}', '{enqueued_as_error_for_orchestration}', '{EnqueueAsErrorForOrchestration}'),
  ('settle_success', '{enqueued_for_orchestration}', '{complete}', '{Complete}'),
  ('settle_retry', '{enqueued_as_error_for_orchestration}', '{waiting_for_retry}', '{WaitForRetry}'),
  ('settle_error', '{enqueued_as_error_for_orchestration}', '{error}', '{Fail}'),
  ('succeed', '{in_progress}', '{enqueued_for_orchestration,complete}', '{EnqueueForOrchestration,Complete}'),
  ('retry_later', '{in_progress}', '{enqueued_as_error_for_orchestration,waiting_for_retry}',
    '{EnqueueAsErrorForOrchestration,WaitForRetry}'),
  ('fail', '{in_progress}', '{enqueued_as_error_for_orchestration,error}', '{EnqueueAsErrorForOrchestration,Fail}'),
  ('retry_enqueue', '{waiting_for_retry}', '{pending,enqueued}', '{Retry,Enqueue}'),
  ('retry_hand_off', '{waiting_for_retry}', '{pending,enqueued,in_progress}', '{Retry,Enqueue,Start}'),
  ('cancel', '{pending,enqueued,in_progress,enqueued_for_orchestration,enqueued_as_error_for_orchestration,waiting_for_retry,error}',
    '{cancelled}', '{Cancel}'),
  ('reset', '{error}', '{pending}', '{ResetForRetry}'),
  ('resolve_by_hand', enum_range(null::tasker_core.step_state), '{resolved_manually}', '{ResolveManually}'),
  ('complete_by_hand', enum_range(null::tasker_core.step_state), '{complete}', '{CompleteManually}');

insert into tasker_core.task_moves (from_state, to_state, path, events) values
  (null, 'steps_in_process', '{pending,initializing,enqueuing_steps,steps_in_process}',
    '{Created,Start,ReadyStepsFound,StepsEnqueued}'),
  (null, 'complete', '{pending,initializing,complete}', '{Created,Start,NoStepsFound}'),
  (null, 'waiting_for_dependencies', '{pending,initializing,waiting_for_dependencies}',
    '{Created,Start,NoDependenciesReady}'),
  ('steps_in_process', 'steps_in_process', '{evaluating_results,enqueuing_steps,steps_in_process}',
    '{StepCompleted,ReadyStepsFound,StepsEnqueued}'),
  ('steps_in_process', 'evaluating_results', '{evaluating_results}', '{StepCompleted}'),
  ('steps_in_process', 'complete', '{evaluating_results,complete}', '{StepCompleted,AllStepsSuccessful}'),
  ('steps_in_process', 'waiting_for_dependencies', '{evaluating_results,waiting_for_dependencies}',
    '{StepCompleted,NoDependenciesReady}'),
  ('steps_in_process', 'blocked_by_failures', '{evaluating_results,blocked_by_failures}',
    '{StepCompleted,PermanentFailure}'),
  ('evaluating_results', 'steps_in_process', '{enqueuing_steps,steps_in_process}', '{ReadyStepsFound,StepsEnqueued}'),
  ('evaluating_results', 'complete', '{complete}', '{AllStepsSuccessful}'),
  ('evaluating_results', 'waiting_for_dependencies', '{waiting_for_dependencies}', '{NoDependenciesReady}'),
  ('evaluating_results', 'blocked_by_failures', '{blocked_by_failures}', '{PermanentFailure}'),
  ('waiting_for_dependencies', 'steps_in_process', '{evaluating_results,enqueuing_steps,steps_in_process}',
    '{DependenciesReady,ReadyStepsFound,StepsEnqueued}'),
  -- After an operator's action on a step.
  ('waiting_for_dependencies', 'complete', '{evaluating_results,complete}', '{DependenciesReady,AllStepsSuccessful}'),
  ('blocked_by_failures', 'steps_in_process', '{evaluating_results,enqueuing_steps,steps_in_process}',
    '{FailuresCleared,ReadyStepsFound,StepsEnqueued}'),
  ('blocked_by_failures', 'evaluating_results', '{evaluating_results}', '{FailuresCleared}'),
  ('blocked_by_failures', 'complete', '{evaluating_results,complete}', '{FailuresCleared,AllStepsSuccessful}'),
  ('blocked_by_failures', 'waiting_for_dependencies', '{evaluating_results,waiting_for_dependencies}',
    '{FailuresCleared,NoDependenciesReady}');

insert into tasker_core.task_moves (from_state, to_state, path, events)
select r.from_state, r.to_state, array[r.to_state], array[r.event]
from tasker_core.task_transition_rules r
where r.event in ('Cancel', 'ResolveManually', 'TimedOut', 'GiveUp', 'EnqueueFailed')
  or (r.from_state = 'steps_in_process' and r.event = 'Fail');
