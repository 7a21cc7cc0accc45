// Writes the orders: `node generate-orders.mjs > orders.json && npx biome format --write orders.json`. Seeded, so the
// file is always the same.

const COUNT = 240;
const CUSTOMERS = [
  ["Ada Lovelace", "GB"],
  ["Zoë Müller-Größ", "DE"],
  ["François L’Écuyer", "FR"],
  ["Søren Ångström", "NO"],
  ["王小明", "JP"],
  ["さくら 🌸 田中", "JP"],
  ["محمد الفارسي", "KW"],
  ["Nguyễn Thị Ánh", "CH"],
  ['João D\'Ávila "Jota"', "BR"],
  ["आरती शर्मा", "IN"],
  ["Ο Γιώργος\tΠ.", "DE"],
  ["Łukasz & Żaneta <łż>", "CH"],
  ["👩‍👩‍👧‍👦 Family Store", "US"],
];
const CURRENCY = { GB: "GBP", JP: "JPY", KW: "KWD", BR: "BRL", IN: "INR", US: "USD", NO: "EUR" };
const GOODS = [
  ["BOOK-SQL", 3990, 620],
  ["BOOK-POETRY", 1250, 210],
  ["MUG-BLUE", 899, 340],
  ["LAMP-7", 4999, 1875],
  ["CHAIR-OAK", 18900, 9400],
  ["SEED-POPPY", 199, 5],
  ["ANVIL-XL", 74950, 48000],
];
const WAREHOUSES = ["AMS", "OSA", "REC"];

const random = mulberry32(20_240);
const pick = (list) => list[Math.floor(random() * list.length)];
const between = (low, high) => low + Math.floor(random() * (high - low + 1));

const orders = Array.from({ length: COUNT }, (_, index) => trouble(index, order(index)));
// 64-bit numbers are beyond JSON.stringify: they travel as marked text up to here.
const text = JSON.stringify(orders).replaceAll(/"int:(\d+)"/g, "$1");
process.stdout.write(`${text}\n`);

function order(index) {
  const [name, country] = pick(CUSTOMERS);
  return {
    order_id: `SO-${10_001 + index}`,
    customer: { name, email: `customer${index}@mail.example`, country },
    ship_to: random() < 0.8 ? country : pick(["DE", "FR", "US", "JP"]),
    currency: CURRENCY[country] ?? "EUR",
    lines: Array.from({ length: random() < 0.04 ? between(20, 40) : between(1, 5) }, line),
    card: "ok",
    warehouse: { code: pick(WAREHOUSES), busy_attempts: 0 },
    ledger_number: `int:${9_223_372_036_854_000_000n + BigInt(between(0, 770_000))}`,
  };
}

function line() {
  const [sku, price, weight_g] = pick(GOODS);
  return { sku, quantity: between(1, 4), unit_price: price + between(0, 99), weight_g };
}

/** Spreads trouble over the orders; no order has two kinds of it. */
function trouble(index, order) {
  switch (index % 20) {
    case 1:
      return { ...order, warehouse: { ...order.warehouse, busy_attempts: 1 } };
    case 4:
      return { ...order, card: index % 40 === 4 ? "slow_1" : "slow_2" };
    case 7:
      return invalid(index, order);
    case 10:
      return { ...order, card: "declined" };
    case 13: {
      const customer = { ...order.customer, email: `who${index}@trashmail.example`, country: "US" };
      return { ...order, customer, ship_to: "NO", lines: [{ ...order.lines[0], quantity: 30 }] };
    }
    case 16:
      return { ...order, warehouse: { ...order.warehouse, busy_attempts: 2 } };
    case 19:
      return index === 119 ? { ...order, card: "down" } : order;
    default:
      return order;
  }
}

function invalid(index, order) {
  const [first] = order.lines;
  const ways = [
    { lines: [] },
    { currency: "XXX" },
    { lines: [{ ...first, quantity: -1 }] },
    { customer: { ...order.customer, email: "no address" } },
    { lines: [{ ...first, quantity: 501 }] },
  ];
  return { ...order, ...ways[Math.floor(index / 20) % ways.length] };
}

function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
