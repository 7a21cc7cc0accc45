# frozen_string_literal: true

require_relative '../test_helper'

class VectorsTest < Minitest::Test
  Internal = TaskerCore::Internal
  Frame = Internal::Protocol::Frame

  Vectors.load('frames').each_with_index do |vector, index|
    define_method("test_frame_#{index}_#{vector['name']}") do
      bytes = [vector['hex']].pack('H*')
      expected = vector['expect'].map { |item| expected_message(item) }
      cuts(bytes.bytesize).each do |pieces|
        got, at_end = read(bytes, pieces, vector['max_frame'] || Frame::DEFAULT_MAX_FRAME)
        assert_equal expected, got, "cut into #{pieces.first(4)}..."
        assert_equal vector['at_end'], at_end
      end
      assert_equal vector['hex'], reencoded(vector).unpack1('H*') if vector['reencode']
    end
  end

  Vectors.load('headers').each_with_index do |vector, index|
    define_method("test_header_#{index}_#{vector['name']}") do
      receivers = vector['to'] == 'both' ? %i[host handler] : [vector['to'].to_sym]
      receivers.each { |to| assert_equal vector['expect'], header_verdict(vector['text'], to) }
    end
  end

  Vectors.load('values').each_with_index do |vector, index|
    define_method("test_value_#{index}_#{vector['name']}") do
      text = value_text(vector)
      if vector['accept']
        value = Internal::Json.parse(text)
        assert vector['value'] == value, value.inspect if vector.key?('value')
        assert_equal vector['same'], Internal::Json.generate(value) if vector.key?('same')
        again = Internal::Json.parse(Internal::Json.generate(value))
        assert value == again, "#{again.inspect} came back"
      else
        assert_raises(Internal::Json::InvalidValue) { Internal::Json.parse(text) }
      end
    end
  end

  def test_every_refused_value_that_ruby_can_hold_is_refused_on_writing
    deep = (1..65).inject(1) { |value, _| [value] }
    ["\0", "a\0b", {"\0" => 1}, Float::NAN, {'a' => [Float::INFINITY]}, "\xFF", {"\xED\xA0\x80" => 1}, deep].each do |value|
      assert_raises(Internal::Json::InvalidValue) { Internal::Json.generate(value) }
    end
  end

  def test_versions
    Vectors.load('handshake')['versions'].each do |vector|
      chosen = Internal::Protocol::Handshake.choose(vector['host'], vector['handler'])
      vector['chosen'].nil? ? assert_nil(chosen) : assert_equal(vector['chosen'], chosen)
    end
  end

  def test_proofs
    Vectors.load('handshake')['proofs'].each do |v|
      handshake = Internal::Protocol::Handshake
      assert_equal v['handler_proof'], handshake.proof(v['token'], 'handler', v['host_nonce'], v['handler_nonce'])
      assert handshake.proof_valid?(v['host_proof'], v['token'], 'host', v['handler_nonce'], v['host_nonce'])
      refute handshake.proof_valid?(v['handler_proof'], v['token'], 'host', v['handler_nonce'], v['host_nonce'])
    end
  end

  def test_wrong_proofs
    Vectors.load('handshake')['wrong_proofs'].each do |v|
      refute Internal::Protocol::Handshake.proof_valid?(v['handler_proof'], v['token'], 'handler', v['host_nonce'],
                                                       v['handler_nonce']), v['name']
    end
  end

  def test_random_bytes_never_raise_and_never_grow
    random = Random.new(7)
    300.times do
      reader = Internal::Protocol::FrameReader.new(max_frame: 2048)
      20.times { reader.feed(random.bytes(random.rand(1..200)).tr("\x05-\xff".b, "\x00".b)) { |message| assert message } }
    end
  end

  def test_flipped_bits_never_raise
    random = Random.new(11)
    good = Vectors.load('headers').select { |vector| vector['expect'] == 'ok' }.map { |vector| vector['text'].b }
    2000.times do
      header = good.sample(random: random)
      frame = [4 + header.bytesize + 2, header.bytesize].pack('NN') + header + '{}'
      random.rand(1..4).times do
        at = random.rand(frame.bytesize)
        frame.setbyte(at, frame.getbyte(at) ^ (1 << random.rand(8)))
      end
      reader = Internal::Protocol::FrameReader.new
      reader.feed(frame) do |message|
        Internal::Protocol::Messages.problem(message.header) unless message.error
        assert_includes [nil, 'bad_header', 'bad_frame', 'too_large'], message.error
      end
    end
  end

  private

  def read(bytes, pieces, max_frame)
    reader = Internal::Protocol::FrameReader.new(max_frame: max_frame)
    got = []
    offset = 0
    pieces.each do |size|
      reader.feed(bytes.byteslice(offset, size)) { |message| got << seen(message) }
      offset += size
    end
    [got, reader.clean? ? 'clean' : 'truncated']
  end

  def seen(message)
    return {'header' => message.header, 'body' => message.body.b} unless message.error
    return {'error' => message.error, 'header' => message.header} if message.error == 'too_large'

    {'error' => message.error}
  end

  def expected_message(item)
    return item.slice('error', *('header' if item['error'] == 'too_large')) if item['error']

    {'header' => item['header'], 'body' => item_body(item)}
  end

  def item_body(item)
    item['body_hex'] ? [item['body_hex']].pack('H*') : item['body_utf8'].b
  end

  def reencoded(vector)
    vector['expect'].map { |item| Frame.encode(item['header'], item_body(item)) }.join
  end

  # All at once, one byte at a time, and every way of cutting in two (at most 400 places for long ones).
  def cuts(size)
    step = [size / 400, 1].max
    [[size], [1] * size] + (1...size).step(step).map { |at| [at, size - at] }
  end

  def header_verdict(text, receiver)
    header = text.b
    frame = [4 + header.bytesize, header.bytesize].pack('NN') + header
    return 'bad_header' if header.empty? # cannot even be framed

    verdict = nil
    Internal::Protocol::FrameReader.new.feed(frame) do |message|
      verdict = message.error || Internal::Protocol::Messages.problem(message.header, to: receiver)&.first || 'ok'
    end
    verdict
  end

  def value_text(vector)
    return [vector['hex']].pack('H*').force_encoding('UTF-8') if vector['hex']
    return vector['repeat']['text'] * vector['repeat']['times'] if vector['repeat']

    vector['text']
  end
end
