# frozen_string_literal: true

require_relative '../test_helper'

class IndifferentHashTest < Minitest::Test
  def setup
    @hash = TaskerCore::IndifferentHash.wrap({'a' => 1, b: {c: [{'d' => 2}]}})
  end

  def test_is_a_hash_with_string_keys
    assert_kind_of Hash, @hash
    assert_equal %w[a b], @hash.keys
    assert @hash == {'a' => 1, 'b' => {'c' => [{'d' => 2}]}}
  end

  def test_reads_with_either_key
    assert_equal [1, 1, 1, 2], [@hash[:a], @hash['a'], @hash.fetch(:a), @hash.dig(:b, 'c', 0, :d)]
    assert_equal [1, 1], [@hash.values_at(:a).first, @hash.fetch_values(:a).first]
    assert @hash.key?(:a) && @hash.include?('b') && @hash.has_key?(:b)
    assert_equal 9, @hash.fetch(:x, 9)
    assert_raises(KeyError) { @hash.fetch(:x) }
  end

  def test_writes_with_either_key_and_wraps_what_is_written
    @hash[:n] = {deep: {er: 1}}
    assert_equal 1, @hash['n']['deep'][:er]
    @hash.delete(:n)
    refute @hash.key?('n')
  end

  def test_merging_and_choosing_give_indifferent_hashes
    assert_equal [5, 1], @hash.merge(a: 5, 'z' => {y: 1}).then { |merged| [merged['a'], merged[:z]['y']] }
    assert_equal 1, @hash[:a]
    assert_equal 3, @hash.merge(a: 2) { |_, mine, theirs| mine + theirs }[:a]
    assert_equal 1, @hash.slice(:a)[:a]
    refute @hash.except(:a).key?('a')
    assert_equal 1, @hash.select { |_, value| value == 1 }[:a]
    assert_equal 2, @hash.transform_values { 2 }[:b]
    assert_equal ['b'], @hash.reject { |key, _| key == 'a' }.keys
  end

  def test_conversions_give_plain_hashes
    symbols = @hash.deep_symbolize_keys
    assert_equal({a: 1, b: {c: [{d: 2}]}}, symbols)
    assert_instance_of Hash, symbols
    assert_instance_of Hash, symbols[:b]
    assert_instance_of Hash, @hash.to_h['b']
    assert_equal '{"a":1,"b":{"c":[{"d":2}]}}', JSON.generate(@hash)
  end

  def test_pattern_matching_and_iteration
    case @hash
    in {a: Integer => number} then assert_equal 1, number
    end
    assert_equal %w[a b], @hash.each_with_object([]) { |(key, _), keys| keys << key }
  end

  def test_core_extensions
    assert_equal({a: {b: [{c: 1}]}}, {'a' => {'b' => [{'c' => 1}]}}.deep_symbolize_keys)
    assert_equal 1, {a: {b: 1}}.with_indifferent_access['a'][:b]
    assert ['', ' ', nil, [], {}, false].all?(&:blank?)
    assert ['x', 0, [nil], true].all?(&:present?)
    assert_nil ''.presence
    assert_equal Date.new(2026, 1, 2), '2026-01-02'.to_date
    assert_equal 3 * 86_400, 3.days.to_i
    assert_equal Date.new(2026, 1, 5), Date.new(2026, 1, 2) + 3.days
    assert_equal Time.at(3600), Time.at(0) + 1.hour
    assert_in_delta Time.now.to_f + 120, 2.minutes.from_now.to_f, 5
    assert_operator 1.day.ago, :<, Time.now
    assert_equal 90, (1.minute + 30.seconds).to_i
    assert_equal 7200.5, 7200.5 + 0.minutes
  end
end
