# frozen_string_literal: true

require 'json'

# Compares the names of the contract (test/conformance/contract/ruby.json) with what this gem defines and what its tests
# use. `ruby -Ilib test/contract/coverage.rb` prints the table. A member is written `#instance_method(parameters)`,
# `.class_method(parameters)` or `::CONSTANT`; parameters as in Ruby.
class ContractCoverage
  FILE = File.expand_path('../../../test/conformance/contract/ruby.json', __dir__)
  TESTS = [File.expand_path('..', __dir__), File.expand_path('../../../test', __dir__), File.expand_path('../../examples', __dir__)].freeze

  # One line of the table. `problems` is empty when all is there, and each entry names what is not.
  Line = Struct.new(:section, :name, :members, :present, :used, :problems, :reason)

  def initialize(file = FILE)
    @rows = JSON.parse(File.read(file)).fetch('rows')
    text = TESTS.flat_map { |folder| Dir[File.join(folder, '**/*.rb')] }.reject { |path| path.start_with?(__dir__) }.map { |path| File.read(path) }.join("\n")
    @words = text.scan(/[A-Za-z_]\w*[?!]?/).to_set
    @operators = text.include?('[')
  end

  # @return [Array<Line>]
  def lines = @rows.map { |row| line(row) }

  def self.print(lines, out = $stdout)
    width = lines.map { |line| line.name.size }.max
    lines.each do |line|
      count = "#{line.present}/#{line.members}"
      out.puts format("%-#{width}s  %7s  used %2d  %s", line.name, count, line.used, line.reason ? "left out: #{line.reason}" : line.problems.join('; '))
    end
    names = lines.sum { |line| line.members + 1 }
    excused = lines.count(&:reason)
    missing = lines.sum { |line| line.reason ? 0 : line.problems.size }
    out.puts "#{lines.size} constants, #{names} names: #{names - excused - missing} present and used by a test, #{excused} left out with a reason, #{missing} problems"
  end

  private

  def line(row)
    constant = Object.const_get(row['name'])
    problems = row['members'].filter_map { |member| problem(constant, member) }
    present = row['members'].size - problems.size
    unused = row['members'].map { |member| bare(member) }.reject { |name| used?(name) }.map { |name| "no test uses #{name}" }
    unused << "no test uses #{row['name']}" unless @words.include?(row['name'].split('::').last)
    used = row['members'].count { |member| used?(bare(member)) }
    Line.new(row['section'], row['name'], row['members'].size, present, used, problems + unused, row['reason'])
  rescue NameError => e
    Line.new(row['section'], row['name'], row['members'].size, 0, 0, [e.message], row['reason'])
  end

  # @return [String, nil]
  def problem(constant, member)
    return ("#{member} is missing" unless constant.const_defined?(member.delete_prefix('::'))) if member.start_with?('::')

    name = bare(member).to_sym
    actual = method_of(constant, member, name) or return "#{member} is missing"
    expected = eval("->#{member[/\(.*\z/] || '()'} {}", binding, __FILE__, __LINE__).parameters # rubocop:disable Security/Eval
    difference = difference(expected, actual.parameters)
    "#{member} takes #{actual.parameters.inspect}: #{difference}" if difference
  end

  def method_of(constant, member, name)
    return constant.instance_method(name) if member.start_with?('#')
    return constant.method(name) unless name == :new

    constant.instance_method(:initialize)
  rescue NameError
    nil
  end

  # Whoever calls as the contract says must be understood; more may be accepted.
  def difference(expected, actual)
    return nil if actual.any? { |kind, name| kind == :rest && [nil, :*, :'...'].include?(name) } && actual.any? { |kind, _| %i[block keyrest].include?(kind) }

    positional(expected, actual) || keywords(expected, actual)
  end

  def positional(expected, actual)
    most = expected.any? { |kind, _| kind == :rest } ? 99 : expected.count { |kind, _| %i[req opt].include?(kind) }
    room = actual.any? { |kind, _| kind == :rest } ? 99 : actual.count { |kind, _| %i[req opt].include?(kind) }
    return "takes at most #{room} arguments, not #{most}" if room < most

    least = expected.count { |kind, _| kind == :req }
    needed = actual.count { |kind, _| kind == :req }
    "needs #{needed} arguments, not #{least}" if needed > least
  end

  def keywords(expected, actual)
    open = actual.any? { |kind, _| kind == :keyrest }
    keys = actual.select { |kind, _| %i[key keyreq].include?(kind) }.to_h { |kind, name| [name, kind] }
    wanted = expected.select { |kind, _| %i[key keyreq].include?(kind) }
    unknown = wanted.map(&:last) - keys.keys
    return "has no keyword #{unknown.join(', ')}" unless unknown.empty? || open

    optional = wanted.select { |kind, name| kind == :key && keys[name] == :keyreq }.map(&:last)
    needed = keys.select { |_, kind| kind == :keyreq }.keys - wanted.map(&:last)
    "needs the keywords #{(optional + needed).join(', ')}" unless (optional + needed).empty?
  end

  def bare(member) = member[/\A(?:#|\.|::)(\[\]|\w+[?!]?)/, 1]
  def used?(name) = name == '[]' ? @operators : @words.include?(name)
end

if $PROGRAM_NAME == __FILE__
  require 'tasker'
  ContractCoverage.print(lines = ContractCoverage.new.lines)
  exit(lines.any? { |line| line.reason.nil? && !line.problems.empty? } ? 1 : 0)
end
