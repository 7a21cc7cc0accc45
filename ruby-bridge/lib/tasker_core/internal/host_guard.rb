# frozen_string_literal: true

# Runs a command for as long as standard input stays open, then removes a folder: `ruby host_guard.rb FOLDER COMMAND...`,
# started by HostProcess.
# The kernel closes the pipe when the program that holds its other end is gone, however it went: the host is then asked
# to stop, and killed when it does not.

require 'fileutils'

STOP_SECONDS = 30

folder, *command = ARGV
host = Process.spawn(*command, in: File::NULL)
%w[INT TERM].each { |signal| Signal.trap(signal) { Process.kill(signal, host) } }

Thread.new do
  nil while $stdin.readpartial(4096)
rescue EOFError
  begin
    Process.kill('TERM', host)
    sleep(STOP_SECONDS)
    Process.kill('KILL', host)
  rescue Errno::ESRCH
    nil # gone already
  end
end

status = Process.wait2(host).last
FileUtils.rm_rf(folder)
exit!(status.exitstatus || 128 + status.termsig)
