/** What places are called. */
import type { Place } from '../api/types';

/** The names on the way to a place; an id where the name is not for the one who asks. */
export function placeName(places: Place[], path: string[]): string {
  const name = (id: string) => places.find((place) => place.id === id)?.name ?? id;
  return path.length === 0 ? 'the whole tenant' : path.map(name).join(' / ');
}

/** Each place before those that lie in it, by their names. */
export function sortedPlaces(places: Place[]): Place[] {
  const name = (place: Place) => placeName(places, place.path);
  return [...places].sort((a, b) => name(a).localeCompare(name(b)));
}

/** Places to choose from, by their names. */
export function placeChoices(places: Place[]) {
  return sortedPlaces(places).map((it) => ({ value: it.id, label: placeName(places, it.path) }));
}
