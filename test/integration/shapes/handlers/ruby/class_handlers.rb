# frozen_string_literal: true

# The handlers of the shapes as classes; functional_handlers.rb has the same ones as blocks.
require "csv"

module Shapes
  class SeedHandler < TaskerCore::StepHandler::Base
    def call(context) = success(result: {value: context.get_input("n")})
  end

  class AddHandler < TaskerCore::StepHandler::Base
    def call(context)
      values = config["from"].map { |name| context.get_dependency_result(name)[:value] }
      success(result: {value: values.sum + config["plus"]})
    end
  end

  class JoinHandler < TaskerCore::StepHandler::Base
    def call(context)
      left, right = %w[left right].map { |name| context.get_dependency_result(name) }
      success(result: {value: left["value"] * right["value"], left: left, right: right})
    end
  end

  class ApproveHandler < TaskerCore::StepHandler::Base
    def call(context) = success(result: {by: context.step_name, amount: context.get_task_field("amount")})
  end

  class CollectHandler < TaskerCore::StepHandler::Base
    def call(context)
      success(result: {present: context.step_config[:of].select { |name| context.dependency_results.key?(name) }})
    end
  end

  class RouteHandler < TaskerCore::StepHandler::Decision
    def call(context)
      amount = context.get_input("amount")
      data = {routing_context: {amount: amount}}
      return skip_branches(result_data: data.merge(reason: "nothing to approve")) unless amount.positive?

      steps = (amount < 1_000) ? ["auto_approve"] : ["manager_approval"]
      steps << "finance_review" if amount >= 5_000
      decision_success(steps: steps, result_data: data)
    end
  end

  class ChooseHandler < TaskerCore::StepHandler::Decision
    def call(context)
      chosen = context.get_input(config["choice"])
      chosen.nil? || chosen.empty? ? decision_no_branches(result_data: {reason: "nothing chosen"}) : decision_success(steps: chosen)
    end
  end

  class AnalyzeHandler < TaskerCore::StepHandler::Batchable
    def call(context)
      rows = CSV.read(context.get_input("csv"), headers: true).size
      return no_batches_outcome(reason: "the file is empty") if rows.zero?

      workers = (rows / context.get_input("batch_size").to_f).ceil
      create_batches_outcome(worker_template_name: "process", cursor_configs: create_cursor_configs(rows, workers), total_items: rows)
    end
  end

  class ProcessHandler < TaskerCore::StepHandler::Batchable
    def call(context)
      share = get_batch_context(context)
      nothing = handle_no_op_worker(share)
      return success(result: nothing.result.except("batch_id")) if nothing

      first = share.start_cursor
      return failure(message: "row #{first} is broken", error_type: "PermanentError") if first == context.get_input("fail_at")

      context.wait_cancelled(30) if context.get_input("hold")
      rows = CSV.read(context.get_input("csv"), headers: true)[first...share.end_cursor]
      success(result: {ids: rows.map { |row| row["id"].to_i }, amount: rows.sum { |row| row["amount"].to_i }})
    end
  end

  class TallyHandler < TaskerCore::StepHandler::Batchable
    def call(context)
      share = get_batch_context(context)
      start = share.has_checkpoint? ? share.checkpoint_cursor : share.start_cursor
      raise TaskerCore::Errors::RetryableError, "interrupted at row #{start}" if start == context.get_input("fail_at") && !context.is_retry?

      done = share.accumulated_results || {"ids" => [], "amount" => 0}
      finish = [start + context.get_input("every"), share.end_cursor].min
      rows = CSV.read(context.get_input("csv"), headers: true)[start...finish]
      done = {"ids" => done["ids"] + rows.map { |row| row["id"].to_i }, "amount" => done["amount"] + rows.sum { |row| row["amount"].to_i }}
      return success(result: done) if finish == share.end_cursor

      checkpoint_yield(cursor: finish, items_processed: done["ids"].size, accumulated_results: done)
    end
  end

  class TotalHandler < TaskerCore::StepHandler::Batchable
    def call(context)
      scenario = detect_aggregation_scenario(context.dependency_results, "analyze", "process_")
      aggregate_batch_worker_results(scenario, zero_metrics: {rows: 0, amount: 0}) do |results|
        {rows: results.values.sum { |part| part.fetch("ids", []).size }, amount: results.values.sum { |part| part.fetch("amount", 0) }}
      end
    end
  end

  class FlakyHandler < TaskerCore::StepHandler::Base
    def call(context)
      count = context.retry_count
      return success(result: {failures: count, was_last: context.is_last_retry?}) if count >= context.get_input("fail_times")

      delay = context.get_input("retry_after")
      raise TaskerCore::Errors::RetryableError.new("failure #{count + 1}", retry_after: delay) if delay

      failure(message: "failure #{count + 1}", error_type: "RetryableError", retryable: true)
    end
  end

  class RefuseHandler < TaskerCore::StepHandler::Base
    def call(_context)
      failure(message: "the card was declined", error_type: "PermanentError", error_code: "DECLINED", retryable: false)
    end
  end

  class CrashHandler < TaskerCore::StepHandler::Base
    def call(_context) = success(result: {never: nil.fetch(1)})
  end

  class ItemsHandler < TaskerCore::StepHandler::Batchable
    def call(context)
      start = context.checkpoint_cursor || 0
      done = context.accumulated_results || {"sum" => 0, "starts" => []}
      raise TaskerCore::Errors::RetryableError, "interrupted at item #{start}" if start == context.get_input("fail_at") && !context.is_retry?
      sleep(0.02) until start != context.get_input("pause_at") || File.exist?(context.get_input("key"))

      finish = [start + context.get_input("every"), context.get_input("items")].min
      done = {"sum" => done["sum"] + ((start + 1)..finish).sum, "starts" => done["starts"] + [start]}
      return checkpoint_yield(cursor: finish, items_processed: finish, accumulated_results: done) if finish < context.get_input("items")

      success(result: done.merge("retry_count" => context.retry_count))
    end
  end

  class SleepHandler < TaskerCore::StepHandler::Base
    def call(context)
      sign = File.join(context.get_input("signs"), context.step_uuid)
      File.write("#{sign}.started", "")
      File.write("#{sign}.told", context.cancel_reason.to_s) if context.wait_cancelled(30)
      success(result: {was: "too late"})
    end
  end

  class GateHandler < TaskerCore::StepHandler::Base
    def call(context)
      raise TaskerCore::Errors::PermanentError, "the gate is closed" unless File.exist?(context.get_input("key"))

      success(result: {gate: "open"})
    end
  end
end
