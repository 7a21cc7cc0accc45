# frozen_string_literal: true

module TaskerCore
  module TemplateDiscovery
    # Reads what this process needs to know of template files. The host checks them; a file that cannot be read is
    # logged and counts as empty here.
    module TemplateParser
      module_function

      # @return [Array<String>] callables of the file's steps, each once
      def extract_handler_callables(path) = extract_handlers_from_template(read(path))

      # @param template [Hash] String keys
      # @return [Array<String>]
      def extract_handlers_from_template(template)
        steps = template['steps']
        return [] unless steps.is_a?(Array)

        steps.filter_map { |step| step.dig('handler', 'callable') if step.is_a?(Hash) && step['handler'].is_a?(Hash) }.uniq
      end

      # @return [Hash] `name, namespace, version, description, file_path, handlers`; empty for an unreadable file
      def extract_template_metadata(path)
        template = read(path)
        return {} if template.empty?

        {name: template['name'], namespace: template['namespace_name'] || 'default', version: template['version'] || '1.0.0',
         description: template['description'], file_path: path, handlers: extract_handlers_from_template(template)}
      end

      # @return [Types::TaskTemplate, nil]
      def parse(path)
        template = read(path)
        template.empty? ? nil : Types::TaskTemplate.from_hash(template)
      end

      def read(path)
        require 'yaml' # slow to load, and most handler processes read no template
        parsed = YAML.safe_load(File.read(path), permitted_classes: [Date, Time], aliases: true, filename: path)
        parsed.is_a?(Hash) ? parsed : {}
      rescue SystemCallError, Psych::Exception => e
        Logger.instance.warn("template #{path} was skipped: #{e.message}")
        {}
      end
      private_class_method :read
    end
  end
end
