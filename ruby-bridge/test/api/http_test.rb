# frozen_string_literal: true

require 'socket'
require 'tmpdir'
require_relative '../test_helper'

# The API mixin against a real server on the loopback interface.
class HttpTest < Minitest::Test
  class ServiceHandler < TaskerCore::StepHandler::Api; end

  def setup
    @server = TCPServer.new('127.0.0.1', 0)
    @requests = []
    @answers = []
    @thread = Thread.new { serve }
    @url = "http://127.0.0.1:#{@server.addr[1]}"
  end

  def teardown
    @thread.kill
    @thread.join
    @server.close
  end

  def handler(**config) = ServiceHandler.new(config: {'url' => @url, 'timeout' => 5, **config.transform_keys(&:to_s)})

  def test_get_with_parameters_headers_and_auth
    @answers << [200, {'Content-Type' => 'application/json'}, '{"a":1}']
    response = handler(auth: {type: 'bearer', token: 't'}, params: {'k' => 'v'}).get('/orders', params: {id: 5}, headers: {'X-A' => 'b'})
    assert_equal [200, {'a' => 1}, true], [response.status, response.body, response.success?]
    assert_match %r{\AGET /orders\?k=v&id=5 }, @requests[0]
    assert_includes @requests[0].downcase, 'authorization: bearer t'
    assert_includes @requests[0].downcase, 'x-a: b'
  end

  def test_post_sends_json
    @answers << [201, {}, '']
    handler.post('orders', data: {n: 1})
    assert_includes @requests[0], '{"n":1}'
    assert_includes @requests[0].downcase, 'content-type: application/json'
  end

  def test_statuses_become_errors
    @answers << [404, {}, 'gone'] << [429, {'Retry-After' => '7'}, ''] << [500, {}, ''] << [418, {}, '']
    error = assert_raises(TaskerCore::Errors::PermanentError) { handler.get('/x') }
    assert_equal ['HTTP_404', 'HTTP 404: Whatever'], [error.error_code, error.message]
    assert_equal 7, assert_raises(TaskerCore::Errors::RetryableError) { handler.get('/x') }.retry_after
    assert_nil assert_raises(TaskerCore::Errors::RetryableError) { handler.get('/x') }.retry_after
    assert_raises(TaskerCore::Errors::RetryableError) { handler.get('/x') }
  end

  def test_nobody_answers
    @server.close
    assert_raises(TaskerCore::Errors::NetworkError) { handler.get('/x') }
    @server = TCPServer.new('127.0.0.1', 0)
  end

  def test_pages
    @answers << [200, {'Content-Type' => 'application/json'}, '{"items":[1],"next_cursor":"b"}'] <<
      [200, {'Content-Type' => 'application/json'}, '{"items":[2]}']
    seen = []
    handler(pagination: {page_size: 1}).api_paginated_request('/list') { |page| seen << page['items'] }
    assert_equal [[1], [2]], seen
    assert_match(/limit=1&cursor=b/, @requests[1])
  end

  def test_upload
    @answers << [200, {}, '']
    Dir.mktmpdir do |folder|
      file = File.join(folder, 'a.bin')
      File.binwrite(file, "\xFF\x00data")
      handler.api_upload_file('/files', file, additional_fields: {'kind' => 'x'})
    end
    assert_includes @requests[0], "\xFF\x00data".b
    assert_includes @requests[0], 'filename="a.bin"'
  end

  def test_results
    assert_equal({'data' => 1, 'status' => 201, 'headers' => {}}, handler.api_success(data: 1, status: 201).result)
    failures = {404 => ['PermanentError', false], 503 => ['RetryableError', true], 429 => ['PermanentError', true], nil => ['UnexpectedError', false]}
    failures.each do |status, expected|
      error = handler.api_failure(message: 'm', status: status)
      assert_equal expected, [error.error_type, error.retryable]
    end
  end

  private

  def serve
    while (client = @server.accept)
      head = client.gets("\r\n\r\n").to_s
      size = head[/content-length: (\d+)/i, 1].to_i
      @requests << (head + (size.positive? ? client.read(size) : '')).b
      status, headers, body = @answers.shift
      client.write("HTTP/1.1 #{status} Whatever\r\n#{headers.map { |k, v| "#{k}: #{v}\r\n" }.join}Content-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
      client.close
    end
  rescue IOError, SystemCallError
    nil
  end
end
