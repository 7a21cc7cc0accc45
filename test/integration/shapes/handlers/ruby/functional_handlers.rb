# frozen_string_literal: true

# The handlers of the shapes as blocks; class_handlers.rb has the same ones as classes.
require "csv"
include TaskerCore::StepHandler::Functional

SeedHandler = step_handler("ruby.functional.seed", inputs: [:n]) { |n:, context:| {value: n} }

AddHandler = step_handler("ruby.functional.add") do |context:|
  values = context.get_config("from").map { |name| context.get_dependency_field(name, "value") }
  {value: values.sum + context.get_config("plus")}
end

JoinHandler = step_handler("ruby.functional.join", depends_on: {left: "left", right: "right"}) do |left:, right:, context:|
  {value: left["value"] * right[:value], left: left, right: right}
end

ApproveHandler = step_handler("ruby.functional.approve", inputs: [:amount]) do |amount:, context:|
  {by: context.step_name, amount: amount}
end

CollectHandler = step_handler("ruby.functional.collect") do |context:|
  {present: context.get_config(:of).select { |name| context.get_dependency_result(name) }}
end

RouteHandler = decision_handler("ruby.functional.route", inputs: [:amount]) do |amount:, context:|
  next Decision.skip("nothing to approve", amount: amount) unless amount.positive?

  case amount
  when ...1_000 then Decision.route(["auto_approve"], amount: amount)
  when ...5_000 then Decision.route(["manager_approval"], amount: amount)
  else Decision.route(%w[manager_approval finance_review], amount: amount)
  end
end

ChooseHandler = decision_handler("ruby.functional.choose") do |context:|
  chosen = context.get_input(context.get_config("choice")) || []
  chosen.empty? ? Decision.skip("nothing chosen") : Decision.route(chosen)
end

AnalyzeHandler = batch_analyzer("ruby.functional.analyze", worker_template: "process", inputs: %i[csv batch_size]) do |csv:, batch_size:, context:|
  rows = File.foreach(csv).count - 1
  next({batch_processing_outcome: {type: "no_batches"}}) if rows.zero?

  BatchConfig.new(total_items: rows, batch_size: batch_size)
end

ProcessHandler = batch_worker("ruby.functional.process", inputs: %i[csv fail_at hold]) do |csv:, fail_at:, hold:, batch_context:, context:|
  next({no_op: true, processed_count: 0}) if batch_context.no_op?

  first = batch_context.start_cursor
  raise TaskerCore::Errors::PermanentError, "row #{first} is broken" if first == fail_at

  context.wait_cancelled(30) if hold

  rows = CSV.read(csv, headers: true)[first...batch_context.end_cursor]
  {ids: rows.map { |row| row["id"].to_i }, amount: rows.sum { |row| row["amount"].to_i }}
end

TallyHandler = batch_worker("ruby.functional.tally", inputs: %i[csv every fail_at]) do |csv:, every:, fail_at:, batch_context:, context:|
  start = batch_context.checkpoint_cursor || batch_context.start_cursor
  raise TaskerCore::Errors::RetryableError, "interrupted at row #{start}" if start == fail_at && !context.is_retry?

  done = batch_context.accumulated_results || {ids: [], amount: 0}
  finish = [start + every, batch_context.end_cursor].min
  rows = CSV.read(csv, headers: true)[start...finish]
  done = {ids: done[:ids] + rows.map { |row| row["id"].to_i }, amount: done[:amount] + rows.sum { |row| row["amount"].to_i }}
  next done if finish == batch_context.end_cursor

  TaskerCore::Types::StepHandlerCallResult.checkpoint_yield(cursor: finish, items_processed: done[:ids].size, accumulated_results: done)
end

TotalHandler = step_handler("ruby.functional.total") do |context:|
  results = context.dependency_results
  parts = results.keys.select { |name| name.start_with?("process_") }.map { |name| results.get_results(name) }
  next({worker_count: 0, scenario: "no_batches", rows: 0, amount: 0}) if parts.any? { |part| part["no_op"] }

  {worker_count: parts.size, scenario: "with_batches",
   rows: parts.sum { |part| part.fetch("ids", []).size }, amount: parts.sum { |part| part.fetch("amount", 0) }}
end

FlakyHandler = step_handler("ruby.functional.flaky", inputs: %i[fail_times retry_after]) do |fail_times:, retry_after:, context:|
  if context.retry_count < fail_times
    raise TaskerCore::Errors::RetryableError.new("failure #{context.retry_count + 1}", retry_after: retry_after)
  end

  {failures: context.retry_count, was_last: context.is_last_retry?}
end

RefuseHandler = step_handler("ruby.functional.refuse") do |**|
  raise TaskerCore::Errors::PermanentError.new("the card was declined", error_code: "DECLINED")
end

CrashHandler = step_handler("ruby.functional.crash") { |**| {never: nil.fetch(1)} }

ItemsHandler = step_handler("ruby.functional.items", inputs: %i[items every fail_at]) do |items:, every:, fail_at:, context:|
  start = context.checkpoint_cursor || 0
  done = context.accumulated_results || {"sum" => 0, "starts" => []}
  raise TaskerCore::Errors::RetryableError, "interrupted at item #{start}" if start == fail_at && !context.is_retry?
  sleep(0.02) until start != context.get_input("pause_at") || File.exist?(context.get_input("key"))

  finish = [start + every, items].min
  done = {sum: done["sum"] + ((start + 1)..finish).sum, starts: done["starts"] + [start]}
  next done.merge(retry_count: context.retry_count) if finish == items

  TaskerCore::Types::StepHandlerCallResult.checkpoint_yield(cursor: finish, items_processed: finish, accumulated_results: done)
end

SleepHandler = step_handler("ruby.functional.sleep", inputs: [:signs]) do |signs:, context:|
  File.write("#{signs}/#{context.step_uuid}.started", "")
  File.write("#{signs}/#{context.step_uuid}.told", context.cancel_reason.to_s) if context.wait_cancelled(30)
  {was: "too late"}
end

GateHandler = step_handler("ruby.functional.gate", inputs: [:key]) do |key:, context:|
  raise TaskerCore::Errors::PermanentError, "the gate is closed" unless File.exist?(key)

  {gate: "open"}
end
