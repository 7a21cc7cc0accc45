# frozen_string_literal: true

# Decisions and batches, in block and in class form.
include TaskerCore::StepHandler::Functional

RouteHandler = decision_handler("ruby.route", inputs: [:amount]) do |amount:, context:|
  next Decision.skip("nothing to approve") if amount.negative?
  next Decision.route(["auto_approve"]) if amount < 1_000

  Decision.route(%w[manager_approval finance_review], amount: amount)
end

class RouteClassHandler < TaskerCore::StepHandler::Decision
  def call(context)
    amount = context.get_input("amount")
    return decision_no_branches(result_data: {reason: "nothing to approve"}) if amount.negative?

    decision_success(steps: (amount < 1_000) ? ["auto_approve"] : %w[manager_approval finance_review])
  end
end

ApproveHandler = step_handler("ruby.approve") { |context:| {approved: true} }

FinalizeHandler = step_handler("ruby.finalize") do |context:|
  names = context.dependency_results.keys
  {approvals: names.select { |name| name.end_with?("_approve", "_approval", "_review") }.sort}
end

AnalyzeHandler = batch_analyzer("ruby.analyze", worker_template: "process", inputs: [:items]) do |items:, context:|
  next({batch_processing_outcome: {type: "no_batches"}}) if items.zero?

  BatchConfig.new(total_items: items, batch_size: 10)
end

class AnalyzeClassHandler < TaskerCore::StepHandler::Batchable
  def call(context)
    items = context.get_input("items")
    return no_batches_outcome(reason: "no items") if items.zero?

    create_batches_outcome(
      worker_template_name: "process",
      cursor_configs: create_cursor_configs(items, (items / 10.0).ceil),
      total_items: items
    )
  end
end

ProcessHandler = batch_worker("ruby.process") do |batch_context:, context:|
  next({count: 0}) if batch_context.no_op?

  {count: (batch_context.end_cursor - batch_context.start_cursor) * context.input_data["factor"]}
end

SumHandler = step_handler("ruby.sum") do |context:|
  results = context.dependency_results
  parts = results.keys.select { |name| name.start_with?("process_") }.map { |name| results.get_results(name) }
  {workers: parts.size, total: parts.sum { |part| part["count"] }}
end
