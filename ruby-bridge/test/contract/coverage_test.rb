# frozen_string_literal: true

require_relative '../test_helper'
require_relative 'coverage'
require 'tasker'

# Every name of the contract exists, takes what the contract gives it, and is used by a test.
class CoverageTest < Minitest::Test
  def test_every_name_is_there_and_used
    lines = ContractCoverage.new.lines
    assert_operator lines.sum(&:members), :>, 500
    problems = lines.reject(&:reason).flat_map { |line| line.problems.map { |problem| "#{line.name}: #{problem}" } }
    assert_empty problems, problems.join("\n")
  end

  def test_a_missing_name_and_a_wrong_signature_are_found
    Tempfile.create('rows') do |file|
      rows = [['TaskerCore::Nothing', []], ['TaskerCore::Client', ['.nothing()']], ['TaskerCore::Client', ['.get_task(a, b)']],
              ['TaskerCore::Client', ['.create_task(context: {})']], ['TaskerCore::Client', ['.health_check(wrong: 1)']], ['TaskerCore::Types::ErrorTypes', ['::NONE']]]
      file.write(JSON.generate('rows' => rows.map { |name, members| {section: 's', name: name, members: members, reason: nil} }))
      file.flush
      assert_equal 6, ContractCoverage.new(file.path).lines.count { |line| line.problems.any? }
    end
  end

  def test_what_is_left_out_has_a_reason_that_is_true
    left_out = ContractCoverage.new.lines.select(&:reason)
    assert_operator left_out.size, :<=, 2
    left_out.each { |line| refute Object.const_defined?(line.name), "#{line.name} exists: count it" }
  end
end
