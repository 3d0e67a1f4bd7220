import "./components.css";

const Weather = (props: { city: string }) => <p className="weather">{props.city}</p>;

export default { weather: Weather };
