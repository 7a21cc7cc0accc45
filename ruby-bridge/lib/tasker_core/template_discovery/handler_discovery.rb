# frozen_string_literal: true

module TaskerCore
  module TemplateDiscovery
    # Which handlers the templates of a folder ask for.
    module HandlerDiscovery
      module_function

      # @return [Array<String>] callables, sorted, each once
      def discover_all_handlers(folder = TemplatePath.find_template_config_directory)
        TemplatePath.discover_template_files(folder).flat_map { |file| TemplateParser.extract_handler_callables(file) }.uniq.sort
      end

      # @return [Array<Hash>] as {TemplateParser.extract_template_metadata}
      def discover_template_metadata(folder = TemplatePath.find_template_config_directory)
        TemplatePath.discover_template_files(folder).map { |file| TemplateParser.extract_template_metadata(file) }.reject(&:empty?)
      end

      # @return [Hash{String => Array<String>}] callables by namespace
      def discover_handlers_by_namespace(folder = TemplatePath.find_template_config_directory)
        discover_template_metadata(folder).group_by { |template| template[:namespace] }
                                          .transform_values { |templates| templates.flat_map { |one| one[:handlers] }.uniq.sort }
      end
    end
  end
end
