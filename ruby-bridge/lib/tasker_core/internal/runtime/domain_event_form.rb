# frozen_string_literal: true

module TaskerCore
  module Internal
    module Runtime
      # The envelope of a domain event as Ruby subscribers read it.
      module DomainEventForm
        module_function

        # @param envelope [Hash] `event_id, event_name, event_version, payload, metadata`, parsed
        # @return [IndifferentHash]
        def from_envelope(envelope)
          parts = envelope.fetch('payload')
          metadata = envelope.fetch('metadata')
          task = parts.dig('task_sequence_step', 'task') || {}
          IndifferentHash.wrap(
            'event_id' => envelope['event_id'], 'event_name' => envelope['event_name'],
            'event_version' => envelope['event_version'], 'metadata' => metadata,
            'business_payload' => parts['payload'], 'execution_result' => parts['execution_result'],
            'context' => {'task_uuid' => metadata['task_uuid'], 'task_name' => task['task_name'],
                          'namespace' => metadata['namespace'], 'step_name' => metadata['step_name']},
            'task_sequence_step' => parts['task_sequence_step']
          )
        end
      end
    end
  end
end
