-- purpose: the orchestration queues of the contract (wire-types.md section 6). Split mode passes results through the first.
select pgmq.create('orchestration_step_results');
select pgmq.create('orchestration_task_requests');
select pgmq.create('orchestration_task_finalizations');
