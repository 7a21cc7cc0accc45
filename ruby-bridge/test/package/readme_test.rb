# frozen_string_literal: true

require 'open3'
require 'rbconfig'
require_relative '../test_helper'
require_relative '../runtime/child_worker'
require_relative '../worker/worker_program'

# The examples of the README are files, and the files work.
class ReadmeTest < Minitest::Test
  include WorkerProgram

  ROOT = File.expand_path('../..', __dir__)
  EXAMPLES = File.join(ROOT, 'examples/readme')

  def test_every_ruby_block_is_a_file
    blocks = File.read(File.join(ROOT, 'README.md')).scan(%r{^<!-- (examples/readme/\S+) -->\n```ruby\n(.*?)^```}m)
    assert_equal File.read(File.join(ROOT, 'README.md')).scan(/^```ruby$/).size, blocks.size
    blocks.each { |path, text| assert_equal File.read(File.join(ROOT, path)), text, path }
    assert_equal Dir[File.join(EXAMPLES, '*.rb')].map { |path| File.basename(path) }.sort, blocks.map { |path, _| File.basename(path) }.sort
  end

  def test_handlers
    ChildWorker.run(handlers: [File.join(EXAMPLES, 'handlers.rb')]) do |worker|
      assert_equal({'total' => 6}, worker.answer(worker.step('shop.validate_cart', {'items' => [{'price' => 3, 'quantity' => 2}]}))[1])
      assert_equal false, worker.answer(worker.step('shop.validate_cart', {'items' => []})).first['retryable']
      assert_equal({'charged' => 6}, worker.answer(worker.step('Shop::ChargeHandler', dependencies: {'validate_cart' => {'result' => {'total' => 6}}}))[1])
    end
  end

  def test_tasks_in_code
    ChildWorker.run(handlers: [File.join(EXAMPLES, 'task_in_code.rb')]) do |worker|
      template = worker.handlers.filter_map { |entry| entry['template'] }.first
      assert_equal ['process_order', %w[OrderProcess::ValidateOrderHandler OrderProcess::ChargeHandler]], [template['name'], template['steps'].map { |step| step['handler']['callable'] }]
      assert_equal [30_000, true], worker.answer(worker.step('OrderProcess::ChargeHandler', {'bank' => 'busy'})).first.values_at('retry_after_ms', 'retryable')
      assert_equal ['nothing to pay', false], worker.answer(worker.step('OrderProcess::ValidateOrderHandler', {'total' => 0})).first.values_at('message', 'retryable')
    end
  end

  def test_events
    ChildWorker.run(handlers: [File.join(EXAMPLES, 'events.rb')]) do |worker|
      assert_equal [%w[step.completed task.*], ['order.*']], worker.hello.values_at('lifecycle_events', 'domain_events').map(&:sort)
    end
  end

  def test_program
    run_program("load #{File.join(EXAMPLES, 'program.rb').inspect}", steps: [['nobody', {}]]) do |running|
      running.wait_for('an answer') { running.messages('error').any? }
      Process.kill('TERM', running.pid)
      assert_predicate running.wait, :success?, running.text
      assert_equal "bye\n", running.text
    end
  end

  def test_tests_of_handlers
    output, status = Open3.capture2e(RbConfig.ruby, '-W', '-I', File.join(ROOT, 'lib'), File.join(EXAMPLES, 'handlers_test.rb'))
    assert_predicate status, :success?, output
    assert_includes output, '2 runs, 2 assertions, 0 failures'
  end
end
