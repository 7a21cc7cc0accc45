# frozen_string_literal: true

require 'tasker_core'

# The Ruby third of the parity table; TypeScript and Python have handlers of the same names.
module ParityHandlers
  extend TaskerCore::StepHandler::Functional

  OutOfStock = Class.new(StandardError)

  VALUES = {
    'big_integer' => -> { 9_007_199_254_740_993 },
    'whole_float' => -> { 3.0 },
    'small_float' => -> { 0.1 },
    'large_float' => -> { 1e16 },
    'unicode' => -> { "größe 漢字 😀 \u2028" },
    'lone_surrogate' => -> { "a\xED\xA0\x80b" },
    'nul' => -> { "a\0b" },
    'nan' => -> { Float::NAN },
    'infinity' => -> { Float::INFINITY },
    'date' => -> { Time.utc(2026, 1, 2, 3, 4, 5) },
    'function' => -> { method(:puts) },
    'deep' => -> { (1..100).inject(0) { |value, _| [value] } }
  }.freeze

  EchoHandler = step_handler('parity.echo') { |context:| context.context }
  NothingHandler = step_handler('parity.nothing') { |**| nil }
  ValueHandler = step_handler('parity.value') { |context:| {value: VALUES.fetch(context.get_input('kind')).call} }

  RaiseHandler = step_handler('parity.raise') do |context:|
    message = context.get_input_or('message', 'as asked')
    case context.get_input('kind')
    when 'permanent' then raise TaskerCore::PermanentError.new(message, error_code: 'E42')
    when 'retryable' then raise TaskerCore::RetryableError, message
    when 'nested'
      begin
        raise OutOfStock, 'the shelf is empty'
      rescue OutOfStock
        raise TaskerCore::PermanentError, message
      end
    else raise message
    end
  end

  FlakyHandler = step_handler('parity.flaky') do |context:|
    raise TaskerCore::RetryableError, 'not yet' if context.retry_count.zero?

    {retry_count: context.retry_count, is_retry: context.is_retry?, is_last: context.is_last_retry?}
  end

  ReadHandler = step_handler('parity.read') do |context:|
    {
      given: context.get_input('given'),
      missing: context.get_input('missing'), missing_or: context.get_input_or('missing', 'default'),
      config: context.get_config('limit'), dependency: context.get_dependency_result('first'),
      no_dependency: context.get_dependency_result('nobody'),
      field: context.get_dependency_field('first', 'deep', 'er'), names: context.dependency_results.keys,
      has_ids: [context.task_uuid, context.step_uuid, context.task.correlation_id].all? { |id| id.to_s.length == 36 },
      retry_count: context.retry_count, max_retries: context.max_retries
    }
  end

  DefaultHandler = step_handler('parity.default') { |context:| {value: context.get_input_or('nothing', 'default')} }

  SleepHandler = step_handler('parity.sleep') do |context:|
    raise TaskerCore::RetryableError, 'stopped' if context.wait_cancelled(context.get_input_or('ms', 0) / 1000.0)

    {slept: true}
  end

  LogHandler = step_handler('parity.log') do |**|
    TaskerCore::Tracing.info('parity', {'index' => 1})
    TaskerCore::Tracing.warn('parity', {'nothing' => nil})
    {logged: 2}
  end

  BeatHandler = step_handler('parity.beat') do |context:|
    10.times { |index| context.heartbeat(index / 10.0) }
    {beats: 10}
  end

  CursorHandler = step_handler('parity.cursor') do |context:|
    done = context.checkpoint_cursor || 0
    seen = [*(context.accumulated_results || {}).to_h.transform_keys(&:to_sym)[:seen], done]
    if done < context.get_input_or('items', 3)
      next TaskerCore::Types::StepHandlerCallResult.checkpoint_yield(
        cursor: done + 1, items_processed: done + 1, accumulated_results: {seen: seen}
      )
    end

    {seen: seen, processed: context.checkpoint_items_processed}
  end
end
