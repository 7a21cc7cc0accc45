# frozen_string_literal: true

class SquareHandler < TaskerCore::StepHandler::Base
  def self.handler_name = 'polyglot.square'

  def call(context)
    success(result: {value: context.get_dependency_field('seed', 'value')**2})
  end
end
