const WEATHER = ['sunny', 'cloudy', 'rainy', 'windy', 'foggy', 'snowy'];

/** The weather of a city in one line: made up, and the same every day. */
export function weatherOf(city: string): string {
  const sum = [...city].reduce((total, character) => total + (character.codePointAt(0) ?? 0), 0);
  return `${city}: ${WEATHER[sum % WEATHER.length]}, ${sum % 30} °C`;
}
