require 'tasker_core'

worker = TaskerCore::Worker::Bootstrap.start!
worker.on_shutdown { puts 'bye' }
worker.wait
