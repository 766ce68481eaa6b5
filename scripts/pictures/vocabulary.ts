/** The words that lines of text are made of, in two halves that share none: one to train with, one held out. */

export type TextKind = 'train' | 'held-out'

// What a phone is pointed at: parcels, receipts, shelves, doors, signs, menus. No word reads the same, or as
// another one, upside down.
const words = `
  address account adapter airport almond amount annual apple apricot archive arrival artist author autumn
  avenue backup baker balance banana barley basket battery bedroom berries better bicycle blanket blossom
  bottle branch bread bridge bright brochure brother brown bucket budget builder butter button cabinet
  cable camera candle canvas capital captain caramel carbon cardboard career carpet carriage castle
  catalog ceiling centre century cereal certificate chamber change channel chapter charge cheese cherry
  chicken children chocolate church cinema circle citizen citrus classic client climate clinic closed
  coconut coffee collect college colour comfort common company concert contact contract copper corner
  cotton council counter country courier courtyard cracker cream credit cucumber current curtain customer
  dairy danger daughter december deliver dentist deposit desert design detail device diesel digital dinner
  direct discount district doctor document dolphin double dragon drawer dream driver earth eastern edition
  editor electric elevator emergency engine entrance envelope evening exchange exhibit export express
  fabric factory family farmer fashion february festival fiction figure filter finger fitness flavour
  flight flower folder forest formula fortune forward fragile freight freezer fresh friday frozen fruit
  function furniture future gallery garage garden garlic gasoline gateway general genuine ginger glacier
  glass golden grain grammar granite grape gravel green grocery ground guarantee guide guitar habit
  hammer handle harbour harvest hazelnut health heater heavy height helmet herbal heritage highway history
  holiday honey horizon hospital hotel hundred import inbound inch income index indoor industry insect
  inspect insurance interior invoice island jacket january jasmine jersey journal journey juice jungle
  junior kernel kettle keyboard kitchen ladder lantern laptop laser laundry leather lecture lemon letter
  library licence liquid listen litre lobby local locker logistics lounge luggage lumber lunch machine
  magazine magnet mailbox manager mango manual maple marble margin market master matter meadow measure
  medicine melon member menu message metal metric midnight mineral minute mirror mobile modern monday
  monitor month morning mountain museum mushroom musical mustard napkin native natural network
  newspaper nickel night noodle normal northern notebook notice number oatmeal object ocean office olive
  onion online opening orange orchard order organic origin outlet oxygen package paint palace panel paper
  parcel parking partner passage pasta patient pattern payment peach peanut pencil pepper perfume permit
  photo physics piano picture pilot plaster plastic platform pocket poetry police polish portable postage
  potato powder present press price printer private product profile program project protein public pumpkin
  purple quality quarter quick radio railway rainbow rapid receipt recipe record recycle refund regular
  release remote repair reserve result return ribbon river rocket salad salmon sample sandal satellite
  saturday scale school science screen season second secret section security select senior service shadow
  shelter shipping silver simple single sister sketch smart soccer socket solar southern special spinach
  spring square stadium standard station storage street student studio sugar summer sunday supply surface
  switch symbol system tablet tailor target teacher temple terminal theatre thermal thousand thursday
  ticket timber tomato tourist tractor traffic train transfer travel treasure tuesday tunnel turkey
  umbrella uniform united upper urban useful vacuum valley vanilla vehicle velvet version village
  vinegar violet visitor vitamin voltage voucher walnut warehouse warning water wednesday weekend weight
  welcome western wheat window winter witness wonder wooden workshop yellow yogurt
`
  .trim()
  .split(/\s+/)

/** The words of a kind: every other one of the list, so that both halves are alike. */
export function vocabulary(kind: TextKind): readonly [string, ...string[]] {
  const remainder = remainderOf(kind)
  const [first = '', ...others] = words.filter((_, index) => index % 2 === remainder)
  return [first, ...others]
}

/** Numbers are shared out too: even ones to train with, odd ones held out. */
export function remainderOf(kind: TextKind): 0 | 1 {
  return kind === 'train' ? 0 : 1
}
