# frozen_string_literal: true

require 'open3'
require 'rbconfig'
require 'tmpdir'
require_relative '../test_helper'

# The gem as users get it: built, installed into a folder of its own, used from an empty one.
class GemTest < Minitest::Test
  ROOT = File.expand_path('../..', __dir__)

  def test_builds_installs_and_works_away_from_the_checkout
    Dir.mktmpdir do |folder|
      package = File.join(folder, 'tasker-bridge.gem')
      build = run_command({}, 'gem', 'build', '--strict', 'tasker-bridge.gemspec', '--output', package, chdir: ROOT)
      refute_match(/WARNING/, build)
      home = File.join(folder, 'gems')
      env = {'GEM_HOME' => home, 'GEM_PATH' => home, 'RUBYLIB' => nil, 'RUBYOPT' => nil}
      run_command(env, 'gem', 'install', '--local', '--no-document', package, chdir: folder)
      assert_equal TaskerCore::VERSION, run_command(env, File.join(home, 'bin/tasker-bridge'), '--version', chdir: folder).strip
      code = "require 'tasker'; print [TaskerCore::VERSION, Tasker::HandlerFactory.instance.handlers, TaskerCore::Worker::Bootstrap.instance.running?, $LOADED_FEATURES.grep(/tasker/).all? { |f| f.start_with?(ENV['GEM_HOME']) }].inspect"
      assert_equal %(["#{TaskerCore::VERSION}", {}, false, true]), run_command(env, RbConfig.ruby, '-W', '-e', code, chdir: folder)
      installed = Dir[File.join(home, 'gems/*/**/*')].select { |path| File.file?(path) }.map { |path| path[%r{gems/[^/]+/(.*)\z}, 1].sub(%r{\Atasker-bridge-[^/]+/}, '') }
      assert_empty %w[README.md CHANGELOG.md exe/tasker-bridge lib/tasker.rb lib/tasker_core.rb sig/tasker/tasker.rbs lib/tasker_core/internal/host_guard.rb] - installed
      refute(installed.any? { |path| path.start_with?('test/', 'bench/') })
    end
  end

  private

  def run_command(env, *command, chdir:)
    output, status = Open3.capture2e(env, *command, chdir: chdir)
    assert_predicate status, :success?, "#{command.join(' ')}: #{output}"
    output
  end
end
