"""What all sections of a config have in common: their kinds of values, and what none of them may hold."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from configs.addresses import has_secret, shown

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
NotNegative = Annotated[int, Field(ge=0, le=10**9)]
Days = Annotated[float, Field(ge=0, le=36_500)]  # a hundred years
Seconds = Annotated[float, Field(gt=0, le=1e8)]  # three years
Text = Annotated[str, Field(min_length=1, max_length=10_000)]  # an empty text is often an unset shell variable


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _without_secret(cls, value: Any) -> Any:
        """Refuse secrets, since a config is logged, stored with deployments and shown."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and has_secret(text):
                raise ValueError(
                    "expected  an address without a password, token, key or signature: configs are logged\n"
                    f"found     {shown(text)}\n"
                    "Set MLflow's in MLFLOW_TRACKING_URI, and S3's keys in AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY. Download any other text that needs one yourself."
                )
        return value

    @model_validator(mode="after")
    def _no_null_character(self) -> Self:
        """Refuse null characters, which neither paths nor databases accept."""
        for key, value in self:
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and "\0" in text:
                    raise ValueError(f"expected  {key} without a null character\nfound     {text!r:.100}")
        return self
