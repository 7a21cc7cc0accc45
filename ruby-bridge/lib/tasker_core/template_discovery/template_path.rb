# frozen_string_literal: true

module TaskerCore
  module TemplateDiscovery
    # Where template files are.
    module TemplatePath
      # What marks the top of an application's folder.
      WORKSPACE_MARKERS = %w[Cargo.toml .git Gemfile package.json tasker-core.code-workspace].freeze
      FOLDER = 'config/tasks'
      MAX_ANCESTORS = 10

      module_function

      # `TASKER_TEMPLATE_PATH`, the gem's fixtures in the test environment, `$WORKSPACE_PATH/config/tasks`, that of the
      # nearest ancestor that looks like an application's folder, or `config/tasks`.
      # @return [String, nil] the first that exists
      def find_template_config_directory
        candidates.find { |folder| File.directory?(folder) }
      end

      # @return [Array<String>] template files below a folder, sorted
      def discover_template_files(folder = find_template_config_directory)
        return [] if folder.nil?

        Dir[File.join(folder, '**/*.{yaml,yml}')].sort
      end

      # @return [String, nil]
      def workspace_root
        folder = Dir.pwd
        MAX_ANCESTORS.times do
          return folder if WORKSPACE_MARKERS.any? { |marker| File.exist?(File.join(folder, marker)) }

          parent = File.dirname(folder)
          break if parent == folder

          folder = parent
        end
        nil
      end

      # @return [Array<String>]
      def candidates
        found = [ENV['TASKER_TEMPLATE_PATH']]
        found << TestEnvironment.template_folder if TestEnvironment.active?
        found << File.join(ENV['WORKSPACE_PATH'], FOLDER) if ENV['WORKSPACE_PATH']
        found << workspace_root&.then { |root| File.join(root, FOLDER) }
        found << File.join(Dir.pwd, FOLDER)
        found.compact.reject(&:empty?)
      end
      private_class_method :candidates
    end
  end
end
